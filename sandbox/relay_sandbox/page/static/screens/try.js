// Try an event: a verdict while one types, at the line, with repairs to click.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { get, post } from "../api.js";
import { daySentence, facts } from "../day_line.js";
import { largeLine } from "../day_line_view.js";
import { editor, retype, select } from "../editor.js";
import { lineOf, place, read } from "../json_text.js";
import { announce, copyButton, findingLine, pretty, worstFirst } from "../parts.js";
import { dayTone, payload, shownZone, withDays } from "./event.js";
import { done } from "./welcome.js";

const DEBOUNCE = 80;
const HOUR = 3_600_000;
const KINDS = ["mobile_event", "web_event", "web_visit"];
const DRAFT = "relay-draft";
const TYPED = "relay-typed"; // what was typed here, by key: it stays in this browser

const state = {
  text: "",
  kind: "mobile_event",
  app_id: "",
  event_id: "",
  when: "now",
  moment: "",
  samples: [],
  reading: read("{}"),
  answer: null,
  answered: null, // the text that the answer is about: older repairs would undo newer ones
  problem: null,
  sending: false,
  note: "",
};
let app;
let timer;
let asking;

export async function enter(given, before) {
  app = given;
  if (app.view.from) await fillFrom(app.view.from);
  else if (!state.text) change(kept() ?? first());
  else if (before.screen !== "try") check();
  if (!state.samples.length) state.samples = await get("samples").then((found) => found.samples ?? found, () => []);
  app.redraw();
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT));
  } catch {
    return null;
  }
}

/** Something to begin with: an event of a minute ago with something to mend. */
function first() {
  const time = new Date(Date.now() - 60_000).toISOString().slice(0, 19) + "Z";
  const event = {
    appsflyer_id: "1624875600000-2718281",
    eventName: "af_purchase",
    eventTime: time,
    eventValue: { af_revenue: "1,234.50" },
    eventCurrency: "EURO",
  };
  const envelope = { app_id: "com.example.shop", kind: "mobile_event", event_id: newId(), event };
  return { text: JSON.stringify(envelope, null, 2) };
}

async function fillFrom(key) {
  const known = typedBefore()[key];
  const row = app.store.find(key);
  try {
    const trace = await get(`traces/${encodeURIComponent(row?.key ?? key)}`);
    const text = known ?? envelopeOf(trace);
    const isConflict = trace.reason === "id_conflict";
    change({ text: isConflict ? underAnotherId(text) : text, note: isConflict ? OWN_ID : noteOn(trace) });
  } catch (error) {
    state.problem = error.message;
  }
  app.go({ screen: "try" }, { replace: true });
}

const newId = () => `order-${String(Date.now()).slice(-6)}`;

/** The text under another event id, if it has one: one id is one event (S6). */
const underAnotherId = (text) => text.replace(/("event_id"\s*:\s*)"(?:[^"\\]|\\.)*"/, (_, name) => `${name}"${newId()}"`);

function envelopeOf(trace) {
  const head = { app_id: trace.app_id, kind: trace.kind };
  if (trace.event_id) head.event_id = trace.event_id;
  return pretty(`${JSON.stringify(head).slice(0, -1)},"event":${trace.event ?? "{}"}}`);
}

const OWN_ID = "It has an event id of its own now: under the other one something else was delivered (S6).";

const noteOn = (trace) =>
  trace.event_id && trace.times_recorded
    ? "It was delivered under this event id before: change the id too, or it is a duplicate or a conflict (S6)."
    : "";

function change(changes) {
  Object.assign(state, { note: "" }, changes);
  state.reading = read(state.text);
  const { text, kind, app_id, event_id } = state;
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify({ text, kind, app_id, event_id }));
  } catch {
    // A draft that is too large to keep is lost with the tab.
  }
  clearTimeout(timer);
  timer = setTimeout(check, DEBOUNCE);
  app.redraw();
}

const asked = () => ({
  text: state.text,
  kind: state.kind,
  app_id: state.app_id || app.store.state?.apps[0]?.app_id || "com.example.shop",
  event_id: state.event_id || null,
  arrival: arrival(),
});

function arrival() {
  if (state.when === "now") return null;
  if (state.when !== "moment") return new Date(Date.now() + Number(state.when) * HOUR).toISOString();
  return state.moment ? new Date(`${state.moment}Z`).toISOString() : null;
}

async function check() {
  asking?.abort();
  asking = new AbortController();
  const { text } = state;
  try {
    const answer = await post("check", asked(), asking.signal);
    Object.assign(state, { answer: { surface: answer.kind?.split("_")[0], ...answer }, answered: text, problem: null });
    if (answer.verdict === "reject") done("break");
  } catch (error) {
    if (error.name === "AbortError") return;
    state.problem = error.message;
  }
  app.redraw();
}

export function view(given) {
  app = given;
  const { answer, reading, text } = state;
  const found = located(answer, reading);
  const marks = found.filter((one) => one.at && (one.exact || one.finding.severity === "reject")).map(({ finding, at, exact }) => ({ severity: finding.severity, at, exact }));
  if (reading.error && text.trim()) marks.push({ severity: "reject", at: [reading.error.at, reading.error.at + 1], exact: true });
  return html`<div class="try" @keydown=${sendByKey}>
    <section class="write" aria-labelledby="try-title">
      <h1 id="try-title">Try an event</h1>
      ${choices()}
      ${editor({ text, tokens: reading.tokens, marks, onInput: (typed) => change({ text: typed }), label: "The event as JSON", describedby: "verdict" })}
      <div class="send-bar">
        <span class="sub" id="send-note">${state.note || takenFor(answer)}</span>
        <button type="button" class="quiet" ?disabled=${Boolean(reading.error)} @click=${() => retype(pretty(text))}>Format</button>
        <button type="button" ?disabled=${!canSend()} @click=${() => send("http")}>Send over HTTP</button>
        <button type="button" class="primary" ?disabled=${!canSend()} @click=${() => send("sqs")}>Send by SQS <kbd>Ctrl ↵</kbd></button>
      </div>
    </section>
    <section class="read" aria-label="What would become of it">
      ${verdict(answer, reading)}
      ${found.length ? html`<ul class="findings">${found.map((one) => finding(one, text))}</ul>` : nothing}
      ${answer && answer.verdict !== "invalid" ? wouldBe(answer) : nothing}
    </section>
  </div>`;
}

function choices() {
  const bare = state.answer && ["event", "array", "lines"].includes(state.answer.taken_for);
  return html`<div class="choices">
    ${state.samples.length ? html`<label class="field">Start from
      <select @change=${startFrom}><option value="">a sample ...</option>${state.samples.map((one, at) => html`<option value=${at}>${one.name.replaceAll("_", " ")}</option>`)}</select></label>` : nothing}
    <label class="field">If it arrives
      <select .value=${state.when} @change=${(event) => change({ when: event.target.value })}>
        <option value="now">now</option><option value="3">in 3 hours</option><option value="24">in a day</option><option value="moment">at a moment (UTC)</option></select></label>
    ${state.when === "moment" ? html`<label class="field"><span class="unseen">Moment (UTC)</span><input type="datetime-local" step="1" .value=${state.moment} @input=${(event) => change({ moment: event.target.value })} /></label>` : nothing}
    ${bare ? html`<label class="field">Kind<select .value=${state.kind} @change=${(event) => change({ kind: event.target.value })}>${KINDS.map((kind) => html`<option ?selected=${kind === state.kind}>${kind}</option>`)}</select></label>
      <label class="field">App<select .value=${asked().app_id} @change=${(event) => change({ app_id: event.target.value })}>${(app.store.state?.apps ?? []).map((one) => html`<option ?selected=${one.app_id === asked().app_id}>${one.app_id}</option>`)}</select></label>
      <label class="field">Event id<input .value=${state.event_id} size="14" autocomplete="off" @input=${(event) => change({ event_id: event.target.value })} /></label>` : nothing}
  </div>`;
}

function startFrom(event) {
  const sample = state.samples[Number(event.target.value)];
  if (event.target.value === "" || !sample) return;
  change({ text: underAnotherId(envelopeOf({ ...sample, event: sample.text })) });
}

const FORMS = { event: "a bare event: kind, app and id stand above", envelope: "an envelope", array: "an array", lines: "one event a line", records: "an SQS event of Lambda's" };

function takenFor(answer) {
  if (!answer?.taken_for) return "Nothing is sent while you type.";
  const more = answer.events > 1 ? `; the verdict is on the first of ${answer.events}` : "";
  return `Taken for ${FORMS[answer.taken_for] ?? answer.taken_for}${more}. Nothing is sent while you type.`;
}

/** Each finding with its place in the text, the worst first. */
function located(answer, reading) {
  if (!answer || reading.error) return [];
  return worstFirst(answer.findings).map((one) => {
    const found = one.path ? place(reading, one.path) : null;
    const isThere = found?.exact && one.path.at(-1) === one.field.split(".").at(-1);
    const isName = isThere && found.key && one.repairs?.[0]?.label.startsWith("Rename");
    return { finding: one, at: found && (isName ? found.key : isThere ? found.value : (found.key ?? found.value)), exact: Boolean(isThere) };
  });
}

function finding({ finding: one, at, exact }, text) {
  const line = at && (exact || one.severity === "reject") ? html`<button type="button" class="link" @click=${() => select(at)}>line ${lineOf(text, at[0])}</button>` : nothing;
  const repairs = (one.repairs ?? []).map((repair) => html`<button type="button" class="repair" ?disabled=${state.answered !== text} @click=${() => mend(repair)}>${repair.label}</button>`);
  return findingLine(one, html`${line}${repairs.length ? html`<div class="repairs">${repairs}</div>` : nothing}`);
}

function mend(repair) {
  retype(repair.text);
  announce(`Mended: ${repair.label}`);
}

function verdict(answer, reading) {
  if (state.problem) return html`<p id="verdict" class="verdict bad" role="status"><b>No verdict.</b> ${state.problem}</p>`;
  if (!answer) return html`<p id="verdict" class="verdict quiet">Type or paste an event.</p>`;
  if (answer.verdict === "invalid" || reading.error) return invalid(answer, reading);
  const count = (severity) => answer.findings.filter((one) => one.severity === severity).length;
  const [rejects, warns, repairs] = ["reject", "warn", "repair"].map(count);
  const rest = [repairs && `${repairs} ${repairs === 1 ? "thing is" : "things are"} repaired for you`, warns && `${warns} ${warns === 1 ? "warning" : "warnings"}`].filter(Boolean).join(", ");
  const tail = rest ? ` ${rest[0].toUpperCase()}${rest.slice(1)}.` : "";
  if (rejects) return html`<p id="verdict" class="verdict bad"><span aria-hidden="true">✕</span> <b>Would be rejected.</b> Mend ${rejects === 1 ? "one thing" : `${rejects} things`}.${tail}</p>`;
  return html`<p id="verdict" class="verdict good"><span aria-hidden="true">✓</span> <b>Would be sent.</b>${tail || " Nothing to remark."}</p>`;
}

function invalid(answer, reading) {
  const error = reading.error ?? answer.mistake;
  const where = error?.line ? html`<button type="button" class="link" @click=${() => select([error.at ?? 0, (error.at ?? 0) + 1])}>Line ${error.line}, column ${error.column}</button>: ` : nothing;
  return html`<p id="verdict" class="verdict bad"><span aria-hidden="true">✕</span> <b>This is no JSON yet.</b> ${where}${error?.message}</p>`;
}

function wouldBe(answer) {
  const rejected = answer.verdict === "reject";
  // A rejected event has no recorded time; what is said of it is how long it may be mended.
  const trace = rejected ? { ...answer, outcome: "rejected" } : answer;
  const at = Date.parse(answer.arrival);
  return html`<h2>${rejected ? "Once mended, if it arrives " : "If it arrives "}${{ now: "now", moment: "then", 3: "in 3 hours", 24: "in a day" }[state.when]}</h2>
    ${largeLine(answer, { own: "happened", arrival: "would arrive" })}
    <p>${withDays(daySentence(trace, at))}</p>
    <dl class="facts ${dayTone(answer)}">${facts(answer, shownZone(answer), { arrival: "would arrive", recorded: rejected ? "would record" : "records" }).map(([word, value]) => html`<div class=${word.replaceAll(" ", "-")}><dt>${word}</dt><dd>${value}</dd></div>`)}</dl>
    ${payload(app, answer)}
    <h2>The same from elsewhere</h2>
    <p class="actions">${copyButton(answer.same?.curl, "curl to the relay")} ${copyButton(answer.same?.aws, "aws sqs send-message")} ${copyButton(answer.same?.check, "relay check")}
      <button type="button" class="quiet" @click=${save}>Save as sample</button></p>`;
}

/** Downloads the envelope, as the samples in events/ are. */
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${state.text}\n`], { type: "application/json" }));
  link.download = `${state.answer?.event_id ?? "event"}.json`.replaceAll(/[^\w.-]+/g, "-");
  link.click();
  URL.revokeObjectURL(link.href);
}

const canSend = () => !state.sending && !state.reading.error && state.answer && state.answer.verdict !== "invalid";

function sendByKey(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  if (canSend()) send("sqs");
}

async function send(by) {
  state.sending = true;
  app.redraw();
  try {
    const { key } = await post("send", { ...asked(), by });
    remember(key);
    announce("Sent.");
    change({ text: underAnotherId(state.text), event_id: state.event_id && newId() });
    if (key) app.go({ screen: "events", id: key });
  } catch (error) {
    state.problem = error.message;
    announce(error.message);
  }
  state.sending = false;
  app.redraw();
}

function typedBefore() {
  try {
    return JSON.parse(sessionStorage.getItem(TYPED)) ?? {};
  } catch {
    return {};
  }
}

function remember(key) {
  if (!key) return;
  const all = Object.entries({ ...typedBefore(), [key]: state.text }).slice(-20);
  try {
    sessionStorage.setItem(TYPED, JSON.stringify(Object.fromEntries(all)));
  } catch {
    // Too large: then the hashed form is what one edits.
  }
}

export const keys = () => ({});
