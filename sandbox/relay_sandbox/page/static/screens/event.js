// One event: what became of it in a sentence, its day line, its steps, findings and payload.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { addressOf } from "../address.js";
import { get, post } from "../api.js";
import { caption, daySentence, facts } from "../day_line.js";
import { largeLine } from "../day_line_view.js";
import { announce, copyButton, findingLine, money, OUTCOMES, pretty, sourceText, wordOf, worstFirst } from "../parts.js";
import { clockText, parse, spanText } from "../zones.js";
import { shownZone } from "./events.js";

const state = { key: null, row: null, trace: null, problem: null, busy: false };

/** Nothing is chosen any more. */
export function forget() {
  Object.assign(state, { key: null, row: null, trace: null, problem: null });
}

/** Gets the steps of the chosen event, again whenever its row has changed. */
export async function load(app) {
  if (app.view.screen !== "events" || app.view.id === null || !app.store.state) return;
  const row = app.store.find(app.view.id);
  const key = row?.key ?? app.view.id;
  if (state.busy || (state.key === key && state.row === row)) return;
  if (state.key !== key) Object.assign(state, { trace: null, problem: null });
  Object.assign(state, { key, row, busy: true });
  try {
    state.trace = await get(`traces/${encodeURIComponent(key)}`);
    state.problem = null;
  } catch (error) {
    state.problem = error.message;
  }
  state.busy = false;
  app.redraw();
}

export function detail(app, row) {
  const trace = state.trace && state.key === (row?.key ?? app.view.id) ? state.trace : null;
  const back = html`<a class="back" href=${addressOf({ ...app.view, id: null })}>‹ all events</a>`;
  if (!trace && !row) return html`${back}<p class="empty">${state.problem ?? "Looking for this event ..."}</p>`;
  const problem = state.problem ? html`<p class="verdict bad" role="alert">${state.problem}</p>` : nothing;
  return html`${back} ${problem} ${guard([trace ?? row, trace !== null, shownZone(row), minute(), app.store.rows.size], () => whole(app, trace ?? row, trace !== null))}`;
}

/** The webhook that an event was made of, and the events made of a webhook. */
function relatives(app, trace) {
  const link = (row, text) => html` · <a href=${addressOf({ screen: "events", id: row.key })}>${text}</a>`;
  if (trace.caused_by) return link({ key: trace.caused_by }, "its webhook");
  if (trace.kind !== "webhook") return nothing;
  return [...app.store.rows.values()].filter((row) => row.caused_by === trace.key).map((row) => link(row, `became ${row.name ?? row.kind}`));
}

/** A webhook or an install is no event of AppsFlyer's: it has no findings, and no payload. */
const isEvent = ({ kind }) => kind.endsWith("_event") || kind.endsWith("_visit");

/** What is said of a deadline changes with the clock. */
const minute = () => Math.floor(Date.now() / 60_000);

function whole(app, trace, isWhole) {
  const zone = shownZone(trace);
  return html`<article>
    <div class="detail-head">
      <div><h2>${trace.name ?? trace.kind.replace("_", " ")} ${money(trace)}</h2>
        <p class="sub">${[trace.event_id, sourceText(trace.source), trace.kind, trace.app_id].filter(Boolean).join(" · ")}${relatives(app, trace)}</p></div>
      ${isEvent(trace) ? html`<div class="actions">
        <a class="button primary" href=${addressOf({ screen: "try", from: trace.key })}>Edit and send <kbd>e</kbd></a>
        <button type="button" ?disabled=${!isWhole || !trace.event} @click=${() => again(app, trace)}>Send again <kbd>r</kbd></button>
      </div>` : nothing}
    </div>
    ${sentence(trace)} ${cure(app, trace)}
    ${largeLine(trace)}
    <dl class="facts ${dayTone(trace)}">${facts(trace, zone).map(([word, value]) => html`<div class=${word.replaceAll(" ", "-")}><dt>${word}</dt><dd>${value}</dd></div>`)}
      <div><dt>times in</dt><dd>${zone}</dd></div></dl>
    ${isWhole ? html`${happened(trace, zone)} ${isEvent(trace) ? html`${findings(trace)} ${payload(app, trace)}` : nothing}` : nothing}
  </article>`;
}

/** The colour of what is recorded: at its own time, or late. */
export const dayTone = (trace) => caption(trace).tone;

const NUMBERS = ["", "first", "second", "third", "fourth", "fifth"];

function sentence(trace) {
  const [sign, , tone] = OUTCOMES[trace.outcome];
  const word = wordOf(trace);
  const day = daySentence(trace, Date.now());
  return html`<p class="verdict ${tone}"><span aria-hidden="true">${sign}</span> <b>${headline(trace, word)}</b> ${because(trace)} ${withDays(day)}</p>`;
}

/** A sentence with its days in bold: they are what one looks for. */
export const withDays = (text) =>
  text.split(/(\b\d{1,2} [A-Z][a-z]{2}\b)/).map((part, at) => (at % 2 ? html`<b class="day">${part}</b>` : part));

/** What to do about it, and a button that does it where the sandbox can. */
function cure(app, { cure: found }) {
  if (!found?.text) return nothing;
  const act = () => attempt(app, async () => {
    await post(found.action.path.replace("/api/", ""), found.action.body);
    announce(`Done: ${found.label}`);
  });
  return html`<p class="cure"><b>What to do:</b> ${found.text} ${found.action ? html`<button type="button" @click=${act}>${found.label}</button>` : nothing}</p>`;
}

function headline(trace, word) {
  const capital = word[0].toUpperCase() + word.slice(1);
  if (word !== "delivered" || !trace.attempts) return `${capital}.`;
  if (trace.attempts === 1) return "Delivered at once.";
  const number = NUMBERS[trace.attempts];
  return number ? `Delivered at the ${number} try.` : `Delivered at try ${trace.attempts}.`;
}

/** Why it stands as it does, in the words of its last step. */
function because(trace) {
  if (trace.outcome === "delivered" || !trace.steps?.length) return nothing;
  const last = trace.steps.findLast((step) => step.kind === trace.outcome) ?? trace.steps.at(-1);
  return html`<span>${last.text}</span>`;
}

const STEP_SIGNS = {
  handed_in: "→", checked: "✓", received: "·", sent: "→", answered: "", silent: "✕", waits: "↻", held: "‖",
  delivered: "✓", duplicate: "=", dead_letter: "✕", rejected: "✕", redriven: "↺", dropped: "–", comes_again: "↺",
};

function happened(trace, zone) {
  return html`<h3>What happened</h3>
    <ol class="steps">${trace.steps.map((step, at) => html`<li>
      <time datetime=${step.at}>${clockText(parse(step.at), zone)}</time>
      <span class="sign ${signTone(step)}" aria-hidden="true">${sign(step)}</span>
      <div>${step.text} ${stepNotes(step)}${since(trace.steps, at)}</div></li>`)}</ol>`;
}

const isGood = (step) => step.status !== null && step.status < 300;
const sign = (step) => (step.kind === "answered" ? (isGood(step) ? "✓" : "✕") : (STEP_SIGNS[step.kind] ?? "·"));

function signTone(step) {
  if (step.kind === "answered") return isGood(step) ? "good" : "bad";
  return { delivered: "good", waits: "wait", comes_again: "wait", held: "held", dead_letter: "bad", rejected: "bad", silent: "bad" }[step.kind] ?? "";
}

const SURE = { surely: "surely recorded", perhaps: "perhaps recorded", no: "surely not recorded" };

function stepNotes(step) {
  const notes = [];
  if (step.sure) notes.push(SURE[step.sure]);
  if (step.waits_in_production_seconds !== null && step.waits_in_production_seconds !== undefined)
    notes.push(`in production up to ${spanText(step.waits_in_production_seconds * 1000)}`);
  return notes.length ? html`<small>· ${notes.join(" · ")}</small>` : nothing;
}

function since(steps, at) {
  if (at === 0) return nothing;
  const took = parse(steps[at].at) - parse(steps[at - 1].at);
  return took >= 1000 ? html` <small>· ${spanText(took)} later</small>` : nothing;
}

function findings(trace) {
  if (!trace.findings.length) return html`<h3>Findings</h3><p class="sub">None${trace.payload ? ": it was sent as it came" : ""}.</p>`;
  return html`<h3>Findings</h3><ul class="findings">${worstFirst(trace.findings).map((one) => findingLine(one))}</ul>`;
}

/** A payload, its hashes marked, and how much of what is allowed it takes. */
export function payload(app, trace) {
  const most = trace.surface === "mobile" || trace.most_bytes ? (app.store.state?.limits.mobile_body_bytes ?? 1024) : null;
  const size = trace.bytes === null ? nothing : html`<span class="size">${trace.bytes.toLocaleString("en")}${most ? ` of at most ${most.toLocaleString("en")}` : ""} bytes
    ${most ? html`<meter min="0" max=${most} high=${most * 0.9} value=${trace.bytes} aria-label="Bytes of the payload"></meter>` : nothing}</span>`;
  return html`<div class="row-head"><h3>Payload</h3> ${size} ${trace.key ? copyButton(curl(app, trace), "Copy as curl", "c") : nothing}</div>
    ${trace.payload ? html`<pre class="code" tabindex="0" aria-label="Payload">${marked(pretty(trace.payload))}</pre>
      ${trace.hashed_fields?.length ? html`<p class="sub"><mark>Marked</mark>: hashed before it left your server (${trace.hashed_fields.join(", ")}).</p>` : nothing}`
    : html`<p class="code none">None: ${trace.key ? "nothing was sent" : "an event that is rejected is never sent"}.</p>`}`;
}

const marked = (text) =>
  text.split(/("[0-9a-f]{64}")/).map((part, at) => (at % 2 ? html`<mark>${part}</mark>` : part));

function curl(app, trace) {
  const { addresses } = app.store.state ?? {};
  const event = trace.event;
  if (!addresses?.api || !event || !trace.kind.includes("_")) return "";
  const [surface, what] = trace.kind.split("_");
  const key = trace.event_id ? `  --header ${quoted(`Idempotency-Key: ${trace.event_id}`)} \\\n` : "";
  return `curl ${addresses.api}/v1/${surface}/${encodeURIComponent(trace.app_id)}/${what}s \\\n` +
    `  --header ${quoted(`Authorization: Bearer ${addresses.producer_token}`)} \\\n` +
    `  --header 'Content-Type: application/json' \\\n${key}  --data-raw ${quoted(event)}`;
}

const quoted = (text) => `'${text.replaceAll("'", `'"'"'`)}'`;

const again = (app, trace) => attempt(app, async () => {
  const { key } = await post(`traces/${trace.key}/again`);
  announce("Sent again.");
  if (key) app.go({ screen: "events", id: key });
});

async function attempt(app, act) {
  state.problem = null;
  try {
    await act();
  } catch (error) {
    state.problem = error.message;
  }
  app.redraw();
}

export function detailKeys(app) {
  if (app.view.id === null || !state.trace || !isEvent(state.trace)) return {};
  return {
    e: () => app.go({ screen: "try", from: state.trace.key }),
    r: () => again(app, state.trace),
    c: () => document.querySelector(".detail-pane [data-copy]")?.click(),
  };
}

export { shownZone };
