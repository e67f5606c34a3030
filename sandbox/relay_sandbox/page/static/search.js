// The search: `order-10 outcome:held rule:M4 -app:com.example.shop is:late`. Pure.

const text = (value) => String(value ?? "").toLowerCase();
const has = (value, part) => text(value).includes(part);

/** What can stand before a colon: how it is compared, and what it means, for the help. */
export const FIELDS = {
  outcome: [(row, value) => is(row.outcome, value) || (value === "dead" && DEAD.has(row.outcome)), "delivered, waiting, held, rejected, dead_letter ..."],
  rule: [(row, value) => row.rules.some((rule) => text(rule) === value), "a rule that has something to say, as in rule:M4"],
  app: [(row, value) => has(row.app_id, value), "an app id, or a part of one"],
  id: [(row, value) => has(row.event_id, value), "an event id, or a part of one"],
  name: [(row, value) => has(row.name, value), "the event's name, or a part of it"],
  source: [(row, value) => has(row.source, value), "sqs, http, payments:stripe ..."],
  kind: [(row, value) => has(row.kind, value), "mobile_event, web_event, web_visit, webhook, install"],
  reason: [(row, value) => has(row.reason, value), "why it waits or ended"],
  currency: [(row, value) => text(row.currency) === value, "as in currency:EUR"],
  is: [(row, value) => FLAGS[value]?.[0](row) ?? false, "late, money, uncertain, twice, open"],
};

const DEAD = new Set(["dead_letter", "rejected", "refused"]);
const is = (value, wanted) => text(value) === wanted;

const FLAGS = {
  late: [(row) => Boolean(row.own_time && row.recorded && row.recorded.source !== "event")],
  money: [(row) => row.revenue !== null && row.revenue !== undefined],
  uncertain: [(row) => row.marks?.includes("uncertain") ?? false],
  twice: [(row) => row.times_recorded > 1],
  open: [(row) => !row.ended],
};

/** Whether a row is one of money, late, ... (`is:`). */
export const flagged = (row, name) => FLAGS[name][0](row);

/** Reads a query: `test` says of a row whether it fits; `problem` is a sentence or null. */
export function parseQuery(query) {
  const terms = (query.match(/-?(?:[a-z_]+:)?(?:"[^"]*"?|[^\s"]+)/gi) ?? []).map(term);
  const problem = terms.map((one) => one.problem).find(Boolean) ?? null;
  const sound = terms.filter((one) => !one.problem);
  return { problem, test: (row) => sound.every((one) => one.test(row) !== one.negated) };
}

function term(written) {
  const negated = written.startsWith("-") && written.length > 1;
  const [, field, quoted] = /^([a-z_]+:)?([^]*)$/i.exec(negated ? written.slice(1) : written);
  const value = text(quoted.replaceAll('"', ""));
  if (!field) return { negated, test: (row) => anywhere(row, value) };
  const name = field.slice(0, -1).toLowerCase();
  return { negated, problem: problemOf(name, value), test: (row) => FIELDS[name][0](row, value) };
}

function problemOf(name, value) {
  if (!(name in FIELDS)) return `There is no ${name}: to search by. There are ${Object.keys(FIELDS).join(", ")}.`;
  if (name === "is" && value && !(value in FLAGS)) return `is: takes ${Object.keys(FLAGS).join(", ")}.`;
  return null;
}

function anywhere(row, value) {
  const places = [row.event_id, row.name, row.app_id, row.source, row.reason, row.outcome, row.key];
  return places.some((one) => has(one, value)) || row.rules.some((rule) => text(rule) === value);
}
