// The keyboard: single keys, only while no field has the focus, and not at all where somebody has
// switched them off (WCAG 2.1.4).

import { SCREENS } from "./address.js";
import { settings } from "./settings.js";

/** What each key does, for the help. */
export const KEYS = [
  ["1 – 7", "the screens"],
  ["j k", "next and previous event (arrows too)"],
  ["Enter", "to the details of the event"],
  ["Esc", "back to the list"],
  ["/", "search"],
  ["n", "show the new ones"],
  ["p", "pause, and go on"],
  ["e", "edit and send"],
  ["r", "send again; on dead letters: redrive the first card"],
  ["c", "copy as curl"],
  ["x x", "clear all faults"],
  ["Ctrl Enter", "in the editor: send by SQS"],
  ["?", "this help"],
];

export function listenForKeys(app) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey) return;
    if (event.ctrlKey || event.metaKey) return;
    if (!settings.keys && event.key !== "Escape") return;
    if (document.querySelector("dialog[open]")) return;
    if (isField(event.target)) return leave(event);
    const act = own(app)[event.key] ?? app.screen.keys?.(app)[event.key];
    if (!act || act(event) === false) return;
    event.preventDefault();
  });
}

/** Esc leaves a field; everything else is typed into it. */
function leave(event) {
  if (event.key === "Escape") event.target.blur();
}

const isField = (target) =>
  target instanceof HTMLElement && (target.matches("input, textarea, select") || target.isContentEditable);

const own = (app) => ({
  ...Object.fromEntries(SCREENS.map((screen, at) => [String(at + 1), () => app.go({ screen })])),
  "?": () => app.help(),
  p: () => app.store.setPaused(!app.store.paused),
  n: () => app.store.show(true) ?? app.redraw(),
});
