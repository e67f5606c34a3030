// Help and settings, in one dialog.

import { html } from "./vendor/lit-html/lit-html.js";
import { KEYS } from "./keys.js";
import { FIELDS } from "./search.js";
import { choose, settings } from "./settings.js";
import { BROWSER_ZONE } from "./zones.js";

export const openHelp = () => document.querySelector("#help").showModal();

export const helpDialog = (app) => html`<dialog id="help" aria-labelledby="help-title">
  <form method="dialog">
    <div class="dialog-top"><h2 id="help-title">Help and settings</h2><button class="quiet" autofocus>Close</button></div>
    <div class="columns">
      <section><h3>Settings</h3>
        ${choice(app, "Colours", "theme", [["", "as the system has them"], ["light", "light"], ["dark", "dark"]])}
        ${choice(app, "Times", "times", [["UTC", "UTC"], ["app", "the zone of the event's rule"], ["browser", `here: ${BROWSER_ZONE}`]])}
        <label class="check"><input type="checkbox" .checked=${settings.keys} @change=${(event) => set(app, { keys: event.target.checked })} /> single keys act</label>
        <h3>The day line</h3>
        <p>The event's own day, from 00:00 to 06:00 of the next. Green: its own time is kept if it arrives then.
          Red: the deadline. Amber: too late, the day it arrives counts. A filled mark is what counts:
          ● the event's own time, ▼ its arrival. ✕ is a try that failed.</p>
      </section>
      <section><h3>Keys</h3>
        <dl class="pairs">${KEYS.map(([key, what]) => html`<dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${what}</dd>`)}</dl>
      </section>
      <section><h3>Search</h3>
        <p>Words are looked for everywhere. A minus in front turns a term round: <code>-outcome:delivered</code>.</p>
        <dl class="pairs">${Object.entries(FIELDS).map(([name, [, what]]) => html`<dt><code>${name}:</code></dt><dd>${what}</dd>`)}</dl>
      </section>
    </div>
  </form>
</dialog>`;

const choice = (app, label, name, options) => html`<label class="field">${label}
  <select @change=${(event) => set(app, { [name]: event.target.value })}>
    ${options.map(([value, text]) => html`<option value=${value} ?selected=${settings[name] === value}>${text}</option>`)}
  </select></label>`;

function set(app, changes) {
  choose(changes);
  app.redraw();
}
