// The frame of the page, and how its parts meet: the stream fills the store, each change of the
// store, the address or a screen draws everything anew, at most once a frame.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { addressOf, parseAddress } from "./address.js";
import { helpDialog, openHelp } from "./help.js";
import { listenForKeys } from "./keys.js";
import { announce, OUTCOMES } from "./parts.js";
import { settings } from "./settings.js";
import { Store } from "./store.js";
import { openStream } from "./stream.js";
import { clockText } from "./zones.js";
import { faultBar, numbers } from "./strip.js";
import * as dashboard from "./screens/dashboard.js";
import * as deadLetters from "./screens/dead_letters.js";
import * as events from "./screens/events.js";
import * as faults from "./screens/faults.js";
import * as identities from "./screens/identities.js";
import * as payments from "./screens/payments.js";
import * as tryEvent from "./screens/try.js";

const SCREENS = {
  events: ["Events", "Events", events],
  try: ["Try an event", "Try", tryEvent],
  payments: ["Payments", "Payments", payments],
  "dead-letters": ["Dead letters", "Dead letters", deadLetters],
  faults: ["Faults", "Faults", faults],
  identities: ["Identities", "Identities", identities],
  dashboard: ["Dashboard", "Dashboard", dashboard],
};
const SUMMARY_EVERY = 5000;

const store = new Store(() => app.redraw());

/** What every screen gets. */
const app = {
  store,
  view: parseAddress(location.hash),
  get screen() {
    return SCREENS[this.view.screen][2];
  },
  /** Goes to a view; `replace` leaves no entry in the browser's history. */
  go(view, { replace = false } = {}) {
    const address = addressOf(view);
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.arrive();
  },
  arrive() {
    const before = this.view;
    this.view = parseAddress(location.hash);
    this.screen.enter?.(this, before);
    if (before.screen !== this.view.screen) scrollTo(0, 0);
    this.redraw();
  },
  redraw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      draw();
    });
  },
  help: openHelp,
};

function draw() {
  const { screen } = app.view;
  document.body.dataset.screen = screen;
  document.title = `${SCREENS[screen][0]} · Relay sandbox`;
  render(frame(), document.querySelector("#app"));
  app.screen.drawn?.(app);
}

const frame = () => html`
  <a class="skip" href="#main" @click=${skip}>To the content</a>
  <header class="top">
    <a class="brand" href="#/events"><img src="icon.svg" alt="" width="22" height="22" /> <b>Relay</b> <span class="wide-only">sandbox</span></a>
    <nav aria-label="Screens">${Object.entries(SCREENS).map(([name, screen], at) => tab(name, screen, at + 1))}</nav>
    <div class="top-right">${liveButton()}
      <button class="quiet" type="button" aria-label="Help and settings" title="Help and settings (?)" @click=${openHelp}>?</button>
    </div>
  </header>
  ${lostBar()} ${numbers(app)} ${faultBar(app)}
  <main id="main" tabindex="-1">${app.screen.view(app)}</main>
  ${helpDialog(app)}`;

function tab(name, [long, short], number) {
  const current = app.view.screen === name;
  return html`<a href=${addressOf({ screen: name })} aria-current=${current ? "page" : nothing} title="${long} (${number})">
    <span class="long">${long}</span><span class="short">${short}</span>${badge(name)}</a>`;
}

function badge(name) {
  const state = store.state;
  if (name === "dead-letters" && state?.counts.dead_letters)
    return html` <span class="badge bad">${state.counts.dead_letters}<span class="unseen"> on the queues</span></span>`;
  if (name === "faults" && faults.setCount(state))
    return html` <span class="badge wait">${faults.setCount(state)}<span class="unseen"> set</span></span>`;
  return nothing;
}

function liveButton() {
  const { name, why, since } = store.stream;
  const waiting = store.waiting;
  const state = store.paused && name === "live" ? "paused" : name;
  const texts = {
    live: "Live",
    paused: `Paused${waiting ? `, ${waiting} new` : ""}`,
    connecting: "Connecting",
    hidden: "Asleep",
    lost: `Lost${since ? ` since ${clockText(since, "UTC")}` : ""}`,
  };
  const title = { live: "Pause (p)", paused: "Go on (p)", lost: `${why}; trying again` }[state] ?? why;
  return html`<button type="button" class="live ${state}" aria-pressed=${String(store.paused)} title=${title}
    @click=${() => store.setPaused(!store.paused)}>
    <span class="dot" aria-hidden="true"></span> <span>${texts[state]}${state === "lost" ? html`<span class="why">: ${why}, trying again</span>` : nothing}</span>
  </button>`;
}

/** Where there is no room in the button: why nothing comes. */
function lostBar() {
  const { name, why } = store.stream;
  if (name !== "lost") return nothing;
  return html`<p class="lost-bar"><span aria-hidden="true">✕</span> <b>Nothing new comes:</b> ${why}. Trying again; nothing will be missing afterwards.</p>`;
}

function skip(event) {
  event.preventDefault();
  document.querySelector("#main").focus();
}

/** What ended of late, said once for those who do not see it; and what the clock alone changes. */
function summarise() {
  if (!document.hidden) app.redraw();
  const ended = Object.entries(store.takeEnded()).map(([outcome, n]) => `${n} ${OUTCOMES[outcome]?.[1] ?? outcome}`);
  if (ended.length) announce(ended.join(", "));
}

function streamState(stream) {
  if (stream.name === "lost" && store.stream.name === "live") announce(`The stream is lost: ${stream.why}.`);
  if (stream.name === "live" && store.stream.name === "lost") announce("Live again, and nothing is missing.");
  store.setStream(stream);
}

addEventListener("popstate", () => app.arrive());
document.documentElement.dataset.theme = settings.theme;
listenForKeys(app);
document.querySelector("#app").replaceChildren();
app.arrive();
openStream({ onMessage: (event, data) => store.take(event, data), onState: streamState });
setInterval(summarise, SUMMARY_EVERY);
