// Dead letters: a card for each reason and app, with its cure, and a redrive that is watched to its
// end: letters stay on their card until they have ended again.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { addressOf } from "../address.js";
import { get, post } from "../api.js";
import { announce, chip, sentenceOf, worstFirst } from "../parts.js";
import { limitText, parse, spanText } from "../zones.js";
import { done } from "./welcome.js";

const MOST_SHOWN = 6;
const MOST_FINDINGS = 2;
const state = { groups: null, count: null, problem: null, watched: new Map(), dropping: null, note: "" };

export const enter = (app) => load(app);

async function load(app) {
  try {
    const found = await get("dead-letters");
    Object.assign(state, { groups: found.groups, count: found.dead_letters, problem: null });
  } catch (error) {
    state.problem = error.message;
  }
  app.redraw();
}

/** What the queues hold has changed: look again. */
export function drawn(app) {
  const count = app.store.state?.counts.dead_letters;
  if (count === undefined || count === state.count || state.groups === null) return;
  state.count = count;
  load(app);
}

export function view(app) {
  const groups = state.groups ?? [];
  const nothingLeft = state.groups && !groups.length && !state.watched.size;
  return html`<div class="page"><h1>Dead letters</h1>
    <p class="lead">What could not be delivered, by reason. Mend the cause, then redrive: each starts anew, with all its tries.</p>
    ${state.problem ? html`<p class="verdict bad" role="alert">${state.problem}</p>` : nothing}
    ${state.note ? html`<p class="verdict good">${state.note}</p>` : nothing}
    ${watched(app)}
    ${nothingLeft ? html`<p class="empty">None. <a href="#/try">Break an event</a> and send it by SQS, and it stands here.</p>` : nothing}
    <ul class="letters">${repeat(groups, idOf, (group) => card(app, group))}</ul></div>`;
}

const idOf = (group) => `${group.queue} ${group.app_id} ${group.reason}`;

function card(app, group) {
  const rows = group.traces;
  return html`<li class="card letter">
    <h2><span class="badge bad">${group.count}</span> ${group.reason.replaceAll("_", " ")}</h2>
    <p class="sub"><code>${group.app_id || "no app"}</code>${group.rules.length ? ` · ${group.rules.join(", ")}` : ""} ${timeLeft(group)}</p>
    <p>${sentenceOf(group.text)}</p>
    ${group.cure?.text ? html`<p><b>Cure:</b> ${group.cure.text}</p>` : nothing}
    <ul class="letter-rows">${rows.slice(0, MOST_SHOWN).map(letter)}</ul>
    ${rows.length > MOST_SHOWN ? html`<p class="sub">and ${rows.length - MOST_SHOWN} more</p>` : nothing}
    <div class="actions">
      ${group.cure?.action ? html`<button type="button" @click=${() => cure(app, group)}>${group.cure.label}</button>` : nothing}
      <button type="button" class=${group.cure?.needs_mending ? nothing : "primary"} @click=${() => redrive(app, group)}>Redrive ${group.count}${asTheyAre(group)}</button>
      ${dropButton(app, group)}
    </div></li>`;
}

/** Those that need mending come back when they are redriven unchanged. */
const asTheyAre = ({ cure: found, count }) =>
  found?.needs_mending ? ` as ${count === 1 ? "it is" : "they are"}` : "";

const letter = (row) => html`<li><div><a href=${addressOf({ screen: "events", id: row.key })}>${row.event_id ?? row.name ?? `message ${row.key}`}</a> ${row.event_id && row.name ? html`<span class="sub">${row.name}</span>` : nothing}
    ${worstFirst(row.findings).filter((one) => one.severity === "reject").slice(0, MOST_FINDINGS).map((one) => html`<small><b>${one.rule}</b> ${one.field} ${one.message}</small>`)}</div>
  <a class="button" href=${addressOf({ screen: "try", from: row.key })}>Mend<span class="unseen"> ${row.event_id ?? row.key} in the editor</span></a></li>`;

function timeLeft({ first_deadline: deadline, traces }) {
  if (!deadline) return nothing;
  const zone = traces[0]?.zone ?? "UTC";
  const left = parse(deadline) + 1 - Date.now();
  const limit = `${limitText(parse(deadline), zone)} ${zone}`;
  return left > 0 ? ` · ${spanText(left)} until the first loses its day (${limit})` : ` · the first has lost its day since ${limit}`;
}

function dropButton(app, group) {
  if (state.dropping !== idOf(group))
    return html`<button type="button" class="danger" @click=${() => ask(app, group)}>Drop</button>`;
  return html`<button type="button" class="danger" @click=${() => drop(app, group)}>Yes, delete ${group.count} for good</button>
    <button type="button" @click=${() => ask(app, null)}>Keep</button>`;
}

function ask(app, group) {
  state.dropping = group && idOf(group);
  app.redraw();
}

async function attempt(app, act) {
  Object.assign(state, { problem: null, note: "" });
  try {
    await act();
  } catch (error) {
    state.problem = error.message;
  }
  await load(app);
}

const keysOf = (group) => group.traces.map((row) => row.key);

const cure = (app, group) => attempt(app, async () => {
  const { method, path, body } = group.cure.action;
  if (method === "POST") await post(path.replace("/api/", ""), body);
  state.note = `Done: ${group.cure.label}. Redrive them now.`;
  announce(state.note);
});

const redrive = (app, group) => attempt(app, async () => {
  const keys = keysOf(group);
  const { done: count } = await post("dead-letters/redrive", { keys });
  keys.forEach((key) => state.watched.set(key, key));
  done("redrive");
  announce(`Redriven: ${count}.`);
});

const drop = (app, group) => attempt(app, async () => {
  state.dropping = null;
  const { done: count } = await post("dead-letters/drop", { keys: keysOf(group) });
  state.note = `Dropped: ${count}. They are gone for good.`;
  announce(state.note);
});

/** What became of those that were redriven here. */
function watched(app) {
  if (!state.watched.size) return nothing;
  const rows = [...state.watched.keys()].map((key) => app.store.rows.get(key)).filter(Boolean);
  const open = rows.filter((row) => !row.ended).length;
  return html`<section class="card" aria-labelledby="redriven"><h2 id="redriven">Redriven${open ? `: ${open} of ${rows.length} under way` : ": all have ended"}</h2>
    <ul class="letter-rows">${rows.map((row) => html`<li><a href=${addressOf({ screen: "events", id: row.key })}>${row.event_id ?? row.name ?? row.key}</a> ${chip(row)}</li>`)}</ul>
    <button type="button" ?disabled=${open > 0} @click=${() => forget(app)}>Close</button></section>`;
}

function forget(app) {
  state.watched.clear();
  app.redraw();
}

export const keys = (app) => ({ r: () => (state.groups?.length ? redrive(app, state.groups[0]) : false) });
