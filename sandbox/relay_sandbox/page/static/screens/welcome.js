// What a first visit sees: how to hand something in, and five things worth trying.

import { html } from "../vendor/lit-html/lit-html.js";
import { copyButton } from "../parts.js";
import { choose, settings } from "../settings.js";

const THINGS = [
  ["break", "Break an event", "see at which line, and mend it by a click", "#/try"],
  ["fault", "Silence AppsFlyer", "and watch nothing being lost", "#/faults"],
  ["recover", "Watch it recover", "an event that is delivered at a later try", "#/faults"],
  ["redrive", "Redrive a dead letter", "its card says what to mend first", "#/dead-letters"],
  ["refund", "Tell a refund", "before its purchase, if you like", "#/payments"],
];

/** Ticks one of the five things off. */
export function done(thing) {
  if (!settings.done.includes(thing)) choose({ done: [...settings.done, thing] });
}

export function welcome(app) {
  noticeRecovery(app);
  const count = THINGS.filter(([name]) => settings.done.includes(name)).length;
  return html`<div class="welcome">
    <h2>${app.store.rows.size ? "Choose an event to see all of it" : "Nothing yet"}</h2>
    <p>Everything that is handed in to this sandbox appears in the list by itself. Nothing leaves this machine:
      a stand-in answers as AppsFlyer would.</p>
    <p class="actions"><a class="button primary" href="#/try">Try an event</a> <a class="button" href="#/payments">Tell of a payment</a></p>
    <h3>Five things to try <span class="sub">${count} of ${THINGS.length}</span></h3>
    <ol class="things">${THINGS.map(([name, what, why, href]) => {
      const isDone = settings.done.includes(name);
      return html`<li class=${isDone ? "done" : ""}><span class="tick" aria-hidden="true">${isDone ? "✓" : ""}</span>
        <div><a href=${href}>${what}</a>${isDone ? html`<span class="unseen"> (done)</span>` : ""}<br /><span class="sub">${why}</span></div></li>`;
    })}</ol>
    ${addresses(app.store.state?.addresses)}
  </div>`;
}

function noticeRecovery({ store }) {
  const recovered = (row) => row.outcome === "delivered" && row.attempts > 1;
  if (!settings.done.includes("recover") && store.shown.some(recovered)) done("recover");
}

function addresses(known) {
  if (!known) return "";
  const rows = [["HTTP API", known.api], ["Mobile queue", known.mobile_queue], ["Web queue", known.web_queue], ["AWS endpoint", known.aws]];
  return html`<h3>Point your service here</h3>
    <dl class="addresses">${rows.filter(([, address]) => address).map(([name, address]) => html`<div><dt>${name}</dt><dd><code>${address}</code> ${copyButton(address, html`Copy<span class="unseen"> the address of ${name}</span>`)}</dd></div>`)}</dl>`;
}
