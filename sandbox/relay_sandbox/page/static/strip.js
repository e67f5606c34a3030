// What stands on every screen: the numbers, each of them a filter, the last five minutes, and the
// faults that are set.

import { html, svg, nothing } from "./vendor/lit-html/lit-html.js";
import { addressOf } from "./address.js";
import { remove } from "./api.js";
import { announce } from "./parts.js";
import { whatItDoes } from "./screens/faults.js";
import { parse } from "./zones.js";

const NUMBERS = [
  ["handed_in", "handed in", "", ""],
  ["delivered", "delivered", "good", "outcome:delivered"],
  ["waiting", "waiting", "wait", "outcome:waiting"],
  ["held", "held", "held", "outcome:held"],
  ["dead", "not delivered", "bad", "outcome:dead"],
  ["late", "late", "wait", "is:late"],
  ["uncertain", "uncertain", "wait", "is:uncertain"],
  ["counted_twice", "counted twice", "bad", "is:twice"],
];
const BARS = 60;
const BAR_SECONDS = 5;

export function numbers(app) {
  const counts = app.store.state?.counts ?? {};
  const all = { ...counts, dead: (counts.dead_letter ?? 0) + (counts.rejected ?? 0) + (counts.refused ?? 0) };
  return html`<section class="strip" aria-label="Numbers of this sandbox"><div class="numbers" role="group" aria-label="Each a filter" tabindex="0">
    ${NUMBERS.map(([name, word, tone, q]) => html`<a class="number ${all[name] || !q ? tone : "none"}" href=${addressOf({ screen: "events", q })}>
      <b>${all[name] ?? "–"}</b> <span>${word}</span></a>`)}
    </div>${bars(app.store)}</section>`;
}

/** Five minutes as stacked bars: delivered, waits, dead. */
function bars(store) {
  const now = Date.now();
  const buckets = Array.from({ length: BARS }, () => ({ good: 0, wait: 0, bad: 0 }));
  for (const row of store.rows.values()) {
    const at = Math.floor((now - parse(row.ended ?? row.came_in)) / 1000 / BAR_SECONDS);
    if (at >= 0 && at < BARS) buckets[BARS - 1 - at][toneOf(row.outcome)] += 1;
  }
  const most = Math.max(4, ...buckets.map((one) => one.good + one.wait + one.bad));
  const sum = (tone) => buckets.reduce((total, one) => total + one[tone], 0);
  const text = `The last five minutes: ${sum("good")} delivered, ${sum("wait")} under way, ${sum("bad")} not delivered`;
  return html`<div class="bars"><svg viewBox="0 0 240 36" width="240" height="36" role="img" aria-label=${text}>
      <line x1="0" x2="240" y1="35.5" y2="35.5" class="axis" />
      ${buckets.map((one, at) => bar(one, at * 4, 35 / most))}</svg>
    <span class="legend" aria-hidden="true"><span>last 5 minutes</span> <span><i class="good">■</i> delivered</span> <span><i class="wait">■</i> under way</span> <span><i class="bad">■</i> not delivered</span></span></div>`;
}

const toneOf = (outcome) =>
  ({ delivered: "good", duplicate: "good", rejected: "bad", refused: "bad", dead_letter: "bad" })[outcome] ?? "wait";

function bar(one, x, unit) {
  let y = 35;
  const part = (tone) => {
    if (!one[tone]) return nothing;
    y -= one[tone] * unit;
    return svg`<rect class="bar ${tone}" x=${x} y=${y.toFixed(1)} width="3" height=${(one[tone] * unit).toFixed(1)} />`;
  };
  return [part("good"), part("wait"), part("bad")];
}

/** A fault that is set stands on every screen: a forgotten one explains nothing by itself. */
export function faultBar(app) {
  const set = app.store.state?.faults ?? [];
  if (!set.length) return nothing;
  return html`<div class="fault-bar" role="region" aria-label="Faults that are set">
    <ul>${set.map((fault) => html`<li><span aria-hidden="true">⚡</span> <b>${whatItDoes(fault)}</b>, ${struck(fault)}</li>`)}</ul>
    <span><a href="#/faults">Faults</a> <button type="button" @click=${() => clearAll(app)}>Clear</button></span>
  </div>`;
}

export const struck = (fault) => {
  const times = fault.applied ?? 0;
  const left = fault.times ? ` of ${fault.times}` : "";
  return times ? `struck ${times}${left} ${times === 1 && !left ? "time" : "times"}` : "has not struck yet";
};

export async function clearAll(app) {
  await remove("faults");
  announce("No fault is set now.");
  app.redraw();
}
