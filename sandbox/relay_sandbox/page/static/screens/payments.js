// Payments: stories told as a provider would, in any order, twice or forged; beside them, as lanes,
// the webhooks, the movements they are, and the events that came of them, to the cent.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { addressOf } from "../address.js";
import { get, post } from "../api.js";
import { announce, chip, money, providerName, reasonText } from "../parts.js";
import { done } from "./welcome.js";

const ORDERS = [["usual", "as it happens"], ["reversed", "the other way round"], ["shuffled", "shuffled"]];
const HOWS = [["right", "right"], ["wrong_signature", "wrong"], ["old_signature", "two hours old"]];
const state = { providers: null, stories: [], problem: null, busy: false, order: "usual", times: 1, how: "right", amount: "9.99", currency: "EUR", alone: false };

export async function enter(app) {
  try {
    const found = await get("payments");
    Object.assign(state, { providers: found.providers, stories: found.stories, problem: null });
  } catch (error) {
    state.problem = error.message;
  }
  app.redraw();
}

export function view(app) {
  return html`<div class="page payments"><h1>Payments</h1>
    <p class="lead">Tell this sandbox of money as a provider would: signed webhooks, to the real address. Whatever the order, and however often it is told,
      each movement of money becomes one event, to the cent.</p>
    ${state.problem ? html`<p class="verdict bad" role="alert">${state.problem}</p>` : nothing}
    <div class="two"><div><section class="card" aria-labelledby="how"><h2 id="how">How it is told</h2>${options(app)}</section>
    <section aria-labelledby="what"><h2 id="what">What is told</h2>${providers(app)}</section></div>
    <section aria-labelledby="told"><h2 id="told">What came of it</h2>
      ${state.stories.length ? html`<ol class="stories" reversed>${repeat([...state.stories].reverse(), (story) => story.id, (story) => lanes(app, story))}</ol>`
      : html`<p class="sub">Nothing told yet. Begin with a refund told the other way round: before its payment.</p>`}</section></div></div>`;
}

function options(app) {
  const set = (name, of = String) => (event) => {
    state[name] = of(event.target.value);
    app.redraw();
  };
  const select = (label, name, all, of) => html`<label class="field">${label}<select @change=${set(name, of)}>${all.map(([value, text]) => html`<option value=${value} ?selected=${String(state[name]) === String(value)}>${text}</option>`)}</select></label>`;
  return html`<div class="fault-form">${select("Order", "order", ORDERS)} ${select("Each webhook", "times", [[1, "once"], [2, "twice"]], Number)} ${select("Signature", "how", HOWS)}
    <label class="field">Amount<input type="text" inputmode="decimal" size="8" .value=${state.amount} @input=${set("amount")} /></label>
    <label class="field">Currency<input size="4" maxlength="3" .value=${state.currency} @input=${set("currency", (text) => text.toUpperCase())} /></label>
    <label class="check"><input type="checkbox" .checked=${state.alone} @change=${(event) => { state.alone = event.target.checked; }} /> only the refund or dispute, without its payment</label></div>`;
}

function providers(app) {
  if (!state.providers) return html`<p class="sub">Looking ...</p>`;
  return html`<ul class="providers">${Object.entries(state.providers).map(([provider, kinds]) => html`<li><h3>${providerName(provider)}</h3>
    <div class="actions">${kinds.map((kind) => html`<button type="button" ?disabled=${state.busy} @click=${() => tell(app, { provider, kind })}>${kind.replaceAll("_", " ")}<span class="unseen"> of ${provider}</span></button>`)}</div></li>`)}</ul>`;
}

async function tell(app, what) {
  Object.assign(state, { busy: true, problem: null });
  app.redraw();
  const { order, times, how, amount, currency, alone } = state;
  try {
    const { stories } = await post("payments/tell", { ...what, order, times, how, ...("again" in what ? {} : { amount, currency, alone }) });
    // Each is shown once, with all that was ever told of it, and the one just told is the first.
    const ids = new Set(stories.map((story) => story.id));
    state.stories = [...state.stories.filter((story) => !ids.has(story.id)), ...stories];
    if (stories.some((story) => /refund|dispute|chargeback/.test(story.kind))) done("refund");
    announce("Told.");
    showStories();
  } catch (error) {
    state.problem = error.message;
  }
  state.busy = false;
  app.redraw();
}

/** On a phone the stories stand below: what was asked for is brought into view. */
function showStories() {
  const told = document.querySelector("#told");
  if (told.getBoundingClientRect().top > innerHeight - 120) told.scrollIntoView();
}

/** One story: its webhooks, the movement they are, the event that came of it. */
function lanes(app, story) {
  const rows = [...app.store.rows.values()];
  const webhooks = story.told.flatMap((told) => told.keys.length ? told.keys.map((key) => ({ ...told, row: app.store.rows.get(key) })) : [told]);
  const events = rows.filter((row) => row.event_id === story.event_id && row.kind !== "webhook");
  const made = events.filter((row) => row.outcome !== "duplicate");
  return html`<li class="card story">
    <div class="row-head"><h3>${providerName(story.provider)}: ${story.kind.replaceAll("_", " ")}</h3> <code class="sub">${story.event_id}</code>
      <button type="button" ?disabled=${state.busy} @click=${() => tell(app, { again: story.id })}>Tell it again<span class="unseen">: ${story.kind} of ${story.provider}</span></button></div>
    <div class="lanes">
      <div class="lane"><h4>Webhooks</h4><ol>${webhooks.map((one, at) => webhook(one, at + 1))}</ol></div>
      <div class="lane"><h4>Movement</h4>${events.length ? html`<p>${events[0].name} ${money(events[0])}</p><p class="sub">one, however often it was told</p>` : html`<p class="sub">none${webhooks.some((one) => one.status < 300) ? " yet" : ": nothing was taken"}</p>`}</div>
      <div class="lane"><h4>Events</h4>${events.length ? html`<ul>${events.map(event)}</ul>${verdict(made)}` : html`<p class="sub">none${webhooks.some((one) => one.status < 300) ? " yet" : ""}</p>`}</div>
    </div></li>`;
}

const webhook = ({ status, how, row }, number) => html`<li><span class="sub">${number}</span>
  ${status < 300 ? html`<span class="chip good">✓ ${status} taken</span>` : html`<span class="chip bad">✕ ${status} refused</span>`}
  ${how === "right" ? nothing : html`<span class="sub">${how.replaceAll("_", " ")}</span>`}
  ${row ? html`<a href=${addressOf({ screen: "events", id: row.key })}>${row.name ?? "webhook"}</a>${row.reason && status < 300 ? html` <span class="sub">${reasonText(row.reason)}</span>` : nothing}` : nothing}</li>`;

const event = (row) => html`<li><a href=${addressOf({ screen: "events", id: row.key })}>${row.name}</a> ${money(row)} ${chip(row)}</li>`;

function verdict(made) {
  const recorded = made.reduce((sum, row) => sum + row.times_recorded, 0);
  if (recorded === 1) return html`<p class="good-text">✓ counted once</p>`;
  if (recorded > 1) return html`<p class="bad-text">✕ counted ${recorded} times</p>`;
  return nothing;
}
