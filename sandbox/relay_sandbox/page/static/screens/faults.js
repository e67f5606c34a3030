// Faults: what AppsFlyer does, and what the machine does; counted, and taken away by one click.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { post, remove } from "../api.js";
import { announce } from "../parts.js";
import { clearAll, struck } from "../strip.js";
import { done } from "./welcome.js";

/** What AppsFlyer can do, and what one will see. `body` is the stand-in's own fault. */
const OFFERS = [
  ["Unavailable", { status: 503, times: 2 }, "The next two sends are answered 503. The event waits and is delivered at the third try."],
  ["Silent", { time_out: true }, "No answer at all, until you clear it. Sends run into their time-out of ten seconds; whether they were recorded is unknown, so they count as uncertain."],
  ["Answer lost", { reset: true, recorded: "after", times: 1 }, "It records the next event, then the connection breaks. The relay sends again; watch whether it is counted twice."],
  ["Too many requests", { status: 429, retry_after: 2, times: 3 }, "Three answers 429 with Retry-After: 2. Nothing is lost, and no sooner try is made."],
  ["Server error", { status: 500, every: 3 }, "Each third send is answered 500, until you clear it."],
  ["Not HTTP", { garbage: true, times: 2 }, "Two answers that are no HTTP at all."],
  ["Byte by byte", { slow_drip_seconds: 0.05, times: 2 }, "Two answers come a byte at a time."],
  ["Slow", { latency_seconds: 3 }, "Every answer takes three seconds more."],
  ["Keys refused", { status: 401 }, "Every S2S key is refused, as after it was revoked. Events are held until you clear it."],
  ["Blocked", { status: 403 }, "AppsFlyer accepts nothing. Events are held, and use up no try."],
];
const ENDINGS = [["status", "answers a status"], ["time_out", "never answers"], ["reset", "resets the connection"], ["garbage", "answers no HTTP"], ["latency_seconds", "only takes longer"]];

/** What the machine can do. */
const MACHINE = [
  ["A function is killed", { machine: "kill_function", function: "forward_mobile", times: 1 }, "forward_mobile is ended with SIGKILL in the middle of its next batch, as if the machine failed. SQS gives the batch out again."],
  ["AppsFlyer unreachable", { machine: "appsflyer_unreachable" }, "Nobody listens at AppsFlyer's address: connections are refused, until you clear it."],
  ["Parameter Store down", { machine: "parameter_store_down" }, "Keys and settings cannot be read. What is known is used on; new apps are held."],
];

const state = { problem: null, form: { ending: "status", status: 503, latency: 2, recorded: "before" } };
let clearing = 0;

/** How many faults are set. */
export const setCount = (known) => (known?.faults ?? []).length;

/** A fault in words: "AppsFlyer answers 503". */
export function whatItDoes(fault) {
  if (fault.machine) return MACHINE_TEXTS[fault.machine];
  const who = fault.app_id ? `AppsFlyer, for ${fault.app_id},` : "AppsFlyer";
  const often = fault.every > 1 ? ` each ${fault.every}th time` : "";
  const after = fault.recorded === "after" ? " after it has recorded the event" : "";
  return `${who} ${deed(fault)}${often}${after}`;
}

const MACHINE_TEXTS = {
  kill_function: "A function is killed in its next batch",
  appsflyer_unreachable: "AppsFlyer is unreachable",
  parameter_store_down: "Parameter Store is down",
};

function deed(fault) {
  if (fault.status) return `answers ${fault.status}`;
  if (fault.time_out) return "is silent";
  if (fault.reset) return "breaks the connection";
  if (fault.garbage) return "answers what is no HTTP";
  if (fault.slow_drip_seconds) return "answers byte by byte";
  return `takes ${fault.latency_seconds} s longer`;
}

export function view(app) {
  const set = app.store.state?.faults ?? [];
  return html`<div class="page"><h1>Faults</h1>
    <p class="lead">Make AppsFlyer or this machine fail, exactly as often as you say, and watch what becomes of your events.</p>
    ${state.problem ? html`<p class="verdict bad" role="alert">${state.problem}</p>` : nothing}
    <section aria-labelledby="set-title"><h2 id="set-title">Set now</h2>
      ${set.length ? html`<ul class="set-faults">${set.map((fault) => setFault(app, fault))}</ul>
        <button type="button" class="danger" @click=${() => clearAll(app)}>Clear all <kbd>x</kbd> <kbd>x</kbd></button>`
      : html`<p class="sub">None: AppsFlyer and this machine are well.</p>`}</section>
    <section aria-labelledby="theirs"><h2 id="theirs">What AppsFlyer does</h2>
      <ul class="cards">${OFFERS.map(([title, body, expect]) => card(title, expect, () => setOne(app, body)))}</ul></section>
    <section aria-labelledby="ours"><h2 id="ours">What the machine does</h2>
      <ul class="cards">${MACHINE.map(([title, body, expect]) => card(title, expect, () => setOne(app, body)))}</ul></section>
    ${form(app)}
  </div>`;
}

const card = (title, expect, act) => html`<li class="card"><h3>${title}</h3><p>${expect}</p>
  <button type="button" aria-label="Set: ${title}" @click=${act}>Set</button></li>`;

const setFault = (app, fault) => html`<li class="card set"><div><b>${whatItDoes(fault)}</b><br />
    <span class="sub">${struck(fault)}${fault.times ? `; ends by itself after ${fault.times}` : "; until you clear it"}</span></div>
  <button type="button" aria-label="Clear: ${whatItDoes(fault)}" @click=${() => clearOne(app, fault)}>Clear</button></li>`;

function form(app) {
  const { form: chosen } = state;
  const set = (changes) => () => {
    Object.assign(chosen, changes);
    app.redraw();
  };
  return html`<details class="card"><summary>Another one, exactly</summary><form class="fault-form" @submit=${(event) => submit(app, event)}>
    <label class="field">AppsFlyer<select name="ending" @change=${(event) => set({ ending: event.target.value })()}>${ENDINGS.map(([name, text]) => html`<option value=${name} ?selected=${name === chosen.ending}>${text}</option>`)}</select></label>
    ${chosen.ending === "status" ? html`<label class="field">Status<input name="status" type="number" min="200" max="599" value="503" required /></label>
      <label class="field">Retry-After, s<input name="retry_after" type="number" min="0" /></label>` : nothing}
    <label class="field">Delay, s<input name="latency_seconds" type="number" min="0" max="3600" step="any" ?required=${chosen.ending === "latency_seconds"} /></label>
    <label class="field">It strikes<select name="recorded"><option value="before">before the event is recorded</option><option value="after">after it is recorded</option></select></label>
    <label class="field">For app<select name="app_id"><option value="">all</option>${(app.store.state?.apps ?? []).map((one) => html`<option>${one.app_id}</option>`)}</select></label>
    <label class="field">Kind<select name="kind"><option value="">all</option><option>mobile_event</option><option>web_event</option><option>web_visit</option></select></label>
    <label class="field">Event name<input name="event_name" placeholder="all" /></label>
    <label class="field">How many times<input name="times" type="number" min="1" placeholder="until cleared" /></label>
    <label class="field">Each n-th call<input name="every" type="number" min="1" value="1" /></label>
    <button class="primary">Set</button></form></details>`;
}

function submit(app, event) {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(event.target));
  const body = {};
  for (const name of ["app_id", "kind", "event_name"]) if (given[name]) body[name] = given[name];
  for (const name of ["status", "retry_after", "latency_seconds", "times", "every"]) if (given[name]) body[name] = Number(given[name]);
  if (["time_out", "reset", "garbage"].includes(given.ending)) body[given.ending] = true;
  body.recorded = given.recorded;
  setOne(app, body);
}

async function attempt(app, act, said) {
  state.problem = null;
  try {
    await act();
    announce(said);
  } catch (error) {
    state.problem = error.message;
  }
  app.redraw();
}

const setOne = (app, body) => attempt(app, async () => {
  await post("faults", body);
  done("fault");
}, `Set: ${whatItDoes(body)}.`);

const clearOne = (app, fault) => attempt(app, () => remove(`faults/${fault.number}`), "Cleared.");

export const keys = (app) => ({
  x: () => {
    if (Date.now() - clearing < 1500) clearAll(app);
    clearing = Date.now();
  },
});
