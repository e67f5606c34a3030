// The list of events, live, with one event beside it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { addressOf } from "../address.js";
import { caption } from "../day_line.js";
import { smallLine } from "../day_line_view.js";
import { chip, money, reasonText, ruleChip, sourceText, worstFirst } from "../parts.js";
import { flagged, parseQuery } from "../search.js";
import { settings } from "../settings.js";
import { BROWSER_ZONE, clockText, dayText, parse } from "../zones.js";
import { detail, detailKeys, forget, load } from "./event.js";
import { welcome } from "./welcome.js";

const FILTERS = [
  ["", "all"],
  ["outcome:waiting", "waiting"],
  ["outcome:held", "held"],
  ["outcome:dead", "not delivered"],
  ["is:late", "late"],
  ["is:money", "money"],
];
const MOST_FINDINGS = 2;
/** New rows a frame: a thousand at once would hold the page up for a quarter of a second. */
const BATCH = 50;
let built = new Set();

/** The zone in which times are shown. */
export const shownZone = (row) =>
  ({ UTC: "UTC", app: row?.zone ?? "UTC", browser: BROWSER_ZONE })[settings.times];

export function enter(app, before) {
  if (before.screen !== "events") built = new Set();
  // What an address asks for is shown, new or not.
  if (app.view.id !== null) app.store.show(true);
  app.store.setReading(isReading(app));
  if (app.view.id === null) forget();
}

export function drawn(app) {
  load(app);
}

export function view(app) {
  const query = parseQuery(app.view.q);
  const rows = app.view.q ? app.store.shown.filter(query.test) : app.store.shown;
  const chosen = app.view.id === null ? null : app.store.find(app.view.id);
  return html`<div class="panes ${app.view.id === null ? "" : "with-detail"}">
    <h1 id="list-title" class="unseen">Events</h1>
    <section class="list-pane" aria-label="The list" @scroll=${() => app.store.setReading(isReading(app))}>
      ${searchBar(app, query)}
      <div class="new-bar" ?hidden=${!app.store.waiting}>
        <button type="button" @click=${() => showNew(app)}>▲ ${app.store.waiting} new <kbd>n</kbd></button>
      </div>
      ${rows.length ? table(app, inBatches(app, rows), chosen) : empty(app)}
    </section>
    <section class="detail-pane" aria-label="The event" tabindex="-1">
      ${app.view.id === null ? welcome(app) : detail(app, chosen)}
    </section>
  </div>`;
}

/** The rows that are there, and some of the new ones: the others come with the next frames. */
function inBatches(app, rows) {
  let left = BATCH;
  const shown = rows.filter((row) => built.has(row.key) || left-- > 0);
  built = new Set(shown.map((row) => row.key));
  if (shown.length < rows.length) app.redraw();
  return shown;
}

function searchBar(app, query) {
  return html`<div class="search-bar">
    <input id="search" type="search" placeholder="Search: rule:M4" aria-label="Search events"
      aria-describedby="search-problem" autocomplete="off" spellcheck="false" .value=${live(app.view.q)}
      @input=${(event) => search(app, event.target.value)} />
    <div class="filters" role="group" aria-label="Filters">
      ${FILTERS.map(([q, word]) => filter(app, q, word))}
    </div>
    <p id="search-problem" class="problem" ?hidden=${!query.problem}>${query.problem}</p>
  </div>`;
}

function filter(app, q, word) {
  const count = q ? app.store.shown.filter(parseQuery(q).test).length : 0;
  return html`<a class="filter" href=${addressOf({ ...app.view, q })} aria-current=${app.view.q === q ? "true" : nothing}>${word}${count ? html` <span>${count}</span>` : nothing}</a>`;
}

const search = (app, q) => app.go({ ...app.view, q }, { replace: true });

function table(app, rows, chosen) {
  const zone = settings.times;
  return html`<table class="events" role="table" aria-label="Events, the newest first">
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">came in <small>${zone === "app" ? "its zone" : shownZone()}</small></th>
      <th role="columnheader" scope="col">event</th><th role="columnheader" scope="col">outcome</th>
      <th role="columnheader" scope="col">day line <small aria-hidden="true"><span>● happened</span> <span>▽ arrived</span> <span><i>|</i> deadline</span></small></th>
      <th role="columnheader" scope="col">findings</th></tr></thead>
    <tbody role="rowgroup">${repeat(rows, (row) => row.key, (row) => guard([row, row === chosen, app.view.q, zone, idOf(app, row)], () => rowView(app, row, row === chosen)))}</tbody>
  </table>`;
}

/** How an address names a row: by its event id, as long as no newer event has it. */
export function idOf(app, row) {
  return app.store.newest.get(row.event_id) === row.key ? row.event_id : row.key;
}

function rowView(app, row, isChosen) {
  const zone = shownZone(row);
  const came = parse(row.came_in);
  const said = caption(row);
  const found = worstFirst(row.findings);
  const href = addressOf({ screen: "events", id: idOf(app, row), q: app.view.q });
  return html`<tr role="row" id="row-${row.key}" class=${isChosen ? "chosen" : ""} @click=${(event) => choose(app, event, href)}>
    <td role="cell" class="came"><time datetime=${row.came_in} title="${dayText(came, zone)} ${clockText(came, zone)} ${zone}">${clockText(came, zone)}</time> <small>${sourceText(row.source)}</small></td>
    <td role="cell" class="what"><a href=${href} aria-current=${isChosen ? "true" : nothing}>${row.name ?? `(${row.kind.replace("_", " ")})`}</a> ${money(row)}
      <small class=${row.event_id ? nothing : "narrow-came"} title=${row.event_id ?? nothing}><span class="narrow-came">${clockText(came, zone)} · </span>${row.event_id ?? sourceText(row.source)}</small>
      <small>${row.app_id}</small></td>
    <td role="cell" class="outcome">${chip(row)}${marks(row)} <small>${outcomeNote(row, zone)}</small></td>
    <td role="cell" class="line">${smallLine(row)} <small class=${said.tone}>${said.text}</small></td>
    <td role="cell" class="rules">${found.slice(0, MOST_FINDINGS).map(ruleChip)}${found.length > MOST_FINDINGS ? html`<small>+${found.length - MOST_FINDINGS}<span class="unseen"> more</span></small>` : nothing}</td>
  </tr>`;
}

const marks = (row) => [
  flagged(row, "uncertain") ? html` <span class="chip wait" title="AppsFlyer may have recorded it without saying so">? uncertain</span>` : nothing,
  flagged(row, "twice") ? html` <span class="chip bad">recorded ${row.times_recorded} times</span>` : nothing,
];

function outcomeNote(row, zone) {
  if (row.outcome === "delivered" && row.attempts > 1) return `at try ${row.attempts}`;
  if (row.outcome === "waiting" || row.outcome === "held") {
    const next = row.next_look ? `, next ${clockText(parse(row.next_look), zone)}` : "";
    return `${reasonText(row.reason)}${next}`;
  }
  return reasonText(row.reason);
}

function choose(app, event, href) {
  if (event.target.closest("a") && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
  event.preventDefault();
  history.pushState(null, "", href);
  app.arrive();
}

function empty(app) {
  if (app.view.q && app.store.rows.size)
    return html`<p class="empty">Nothing here fits. <a href=${addressOf({ screen: "events", id: app.view.id })}>Show all</a></p>`;
  if (!app.store.state) return html`<p class="empty">Connecting ...</p>`;
  return html`<div class="empty narrow-only">${welcome(app)}</div><p class="empty wide-only">Nothing yet. What you hand in appears here by itself.</p>`;
}

function isReading(app) {
  const pane = document.querySelector(".list-pane");
  return app.view.screen === "events" && (app.view.id !== null || (pane?.scrollTop ?? 0) > 8);
}

function showNew(app) {
  app.store.show(true);
  document.querySelector(".list-pane").scrollTop = 0;
  app.redraw();
}

// Keys

export function keys(app) {
  return {
    j: () => step(app, 1),
    k: () => step(app, -1),
    ArrowDown: () => step(app, 1),
    ArrowUp: () => step(app, -1),
    "/": () => document.querySelector("#search").focus(),
    Enter: (event) => (event.target.closest("a, button") ? false : document.querySelector(".detail-pane").focus()),
    Escape: () => app.view.id !== null && back(app),
    ...detailKeys(app),
  };
}

function step(app, by) {
  const rows = app.store.shown.filter(parseQuery(app.view.q).test);
  if (!rows.length) return;
  const chosen = app.view.id === null ? null : app.store.find(app.view.id);
  const at = rows.findIndex((row) => row.key === chosen?.key);
  const next = rows[at === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))];
  app.go({ ...app.view, id: idOf(app, next) }, { replace: true });
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const row = document.querySelector(`#row-${CSS.escape(next.key)}`);
    row?.scrollIntoView({ block: "nearest" });
    row?.querySelector("a").focus({ preventScroll: true });
  }));
}

const back = (app) => app.go({ ...app.view, id: null });
