// Identities: which customer is which AppsFlyer id, who waits for one, and one to add.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { addressOf } from "../address.js";
import { get, post } from "../api.js";
import { announce } from "../parts.js";
import { momentText, parse } from "../zones.js";

const state = { known: null, waiting: [], problem: null, added: null, customer: "", app_id: "", seen: "" };

export const enter = (app) => load(app);

async function load(app) {
  try {
    const found = await get("identities");
    Object.assign(state, { known: found.identities, waiting: found.waiting });
  } catch (error) {
    state.problem = error.message;
  }
  app.redraw();
}

/** Somebody was learnt, or begins to wait: look again. */
export function drawn(app) {
  const rows = [...app.store.rows.values()];
  const installs = rows.filter((row) => row.kind === "install").length;
  const held = rows.filter(waits).map((row) => row.key);
  const seen = `${installs} ${held.join()}`;
  if (state.known === null || seen === state.seen) return;
  state.seen = seen;
  load(app);
}

const waits = (row) => row.outcome === "held" && row.reason === "identity_unknown";

export function view(app) {
  return html`<div class="page"><h1>Identities</h1>
    <p class="lead">A mobile event needs AppsFlyer's id of the device. Where only your customer's id is known, the relay looks it up; an event
      whose customer is not known is held until AppsFlyer tells of the install, or you add it here.</p>
    ${state.problem ? html`<p class="verdict bad" role="alert">${state.problem}</p>` : nothing}
    <section aria-labelledby="waiting"><h2 id="waiting">Who waits</h2>${waiting()}</section>
    ${form(app)} ${watched(app)}
    <section aria-labelledby="known"><h2 id="known">Who is known</h2>${known()}</section></div>`;
}

function waiting() {
  if (!state.waiting.length) return html`<p class="sub">Nobody: no event is held for its customer.</p>`;
  return html`<ul class="letter-rows">${state.waiting.map((row) => html`<li>
    <span><b>${row.customer_user_id}</b> <span class="sub">${row.app_id}</span> · <a href=${addressOf({ screen: "events", id: row.key })}>${row.event_id ?? row.name}</a></span>
    <button type="button" @click=${() => fill(row)}>Add this customer<span class="unseen"> ${row.customer_user_id}</span></button></li>`)}</ul>`;
}

function fill(row) {
  document.querySelector("#customer").value = row.customer_user_id;
  document.querySelector("#identity-app").value = row.app_id;
  document.querySelector("#appsflyer-id").value ||= madeUpId();
  document.querySelector("#appsflyer-id").focus();
}

/** An id in AppsFlyer's form. */
const madeUpId = () => `${Date.now()}-${Math.floor(1e6 + Math.random() * 9e6)}`;

function form(app) {
  const apps = (app.store.state?.apps ?? []).filter((one) => one.kind === "mobile");
  return html`<section class="card" aria-labelledby="add"><h2 id="add">Add one</h2><form class="fault-form" @submit=${(event) => add(app, event)}>
    <label class="field">Customer<input id="customer" name="customer_user_id" required autocomplete="off" /></label>
    <label class="field">App<select id="identity-app" name="app_id">${apps.map((one) => html`<option>${one.app_id}</option>`)}</select></label>
    <label class="field">AppsFlyer id<input id="appsflyer-id" name="appsflyer_id" required autocomplete="off" placeholder="1624875600000-2718281" size="24" /></label>
    <button class="primary">Add</button></form></section>`;
}

async function add(app, event) {
  event.preventDefault();
  state.problem = null;
  const body = Object.fromEntries(new FormData(event.target));
  const released = state.waiting.filter((row) => row.customer_user_id === body.customer_user_id && row.app_id === body.app_id);
  try {
    await post("identities", body);
    state.added = { ...body, keys: released.map((row) => row.key) };
    announce(`Added. ${released.length} held ${released.length === 1 ? "event goes" : "events go"} now.`);
  } catch (error) {
    state.problem = error.message;
  }
  await load(app);
}

/** What was held for the one who was added, and goes now. */
function watched(app) {
  if (!state.added) return nothing;
  const rows = state.added.keys.map((key) => app.store.rows.get(key)).filter(Boolean);
  const gone = rows.filter((row) => row.ended).length;
  const text = rows.length ? `${gone} of ${rows.length} held ${rows.length === 1 ? "event has" : "events have"} gone${gone < rows.length ? "; the others go when they are looked at next" : ""}.` : "Nothing was held for them.";
  return html`<p class="verdict good"><span aria-hidden="true">✓</span> <b>${state.added.customer_user_id} is known.</b> ${text}
    ${rows.map((row) => html`<a href=${addressOf({ screen: "events", id: row.key })}>${row.event_id ?? row.name}</a>: ${row.outcome} `)}</p>`;
}

function known() {
  if (!state.known) return html`<p class="sub">Looking ...</p>`;
  if (!state.known.length) return html`<p class="sub">Nobody yet.</p>`;
  const heads = ["Customer", "App", "AppsFlyer id", "Platform", "Installed (UTC)"];
  return html`<div class="wide-table" tabindex="0" role="region" aria-label="Table of identities"><table class="plain"><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${state.known.map((one) => html`<tr><td><b>${one.customer_user_id}</b></td><td>${one.app_id}</td><td><code>${one.appsflyer_id}</code></td><td>${one.platform ?? "–"}</td>
      <td>${one.installed_at ? momentText(parse(one.installed_at), "UTC") : "–"}</td></tr>`)}</tbody></table></div>`;
}
