// A text of JSON with line numbers, colours and signs where a finding is: a plain textarea of
// transparent text over a coloured copy of it. Tab leaves it, as it leaves every field.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { lineOf } from "./json_text.js";

const SIGNS = { reject: "✕", warn: "!", repair: "~" };
const RANK = ["reject", "warn", "repair"];

/**
 * `marks`: [{severity, at: [from, to], exact}], places in the text; only exact ones are underlined.
 */
export function editor({ text, tokens, marks, onInput, label, describedby }) {
  const byLine = worstByLine(text, marks);
  const lines = text.split("\n").length;
  return html`<div class="editor"><div class="sheet">
    <pre class="gutter" aria-hidden="true">${Array.from({ length: lines }, (_, at) => gutterLine(at + 1, byLine.get(at + 1)))}</pre>
    <div class="ink"><pre class="paint" aria-hidden="true">${painted(text, tokens, marks.filter((one) => one.exact))}${"\n"}</pre>
      <textarea id="text" spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off" aria-label=${label} aria-describedby=${describedby}
        .value=${live(text)} @input=${(event) => onInput(event.target.value)}></textarea></div>
  </div></div>`;
}

const gutterLine = (number, severity) =>
  html`<span class=${severity ?? nothing}>${severity ? SIGNS[severity] : " "}${String(number).padStart(3)}</span>${"\n"}`;

function worstByLine(text, marks) {
  const byLine = new Map();
  for (const { severity, at } of marks) {
    const line = lineOf(text, at[0]);
    const before = byLine.get(line);
    if (!before || RANK.indexOf(severity) < RANK.indexOf(before)) byLine.set(line, severity);
  }
  return byLine;
}

/** The text in pieces, each of them in the colours of its token and its mark. */
function painted(text, tokens, marks) {
  const ends = new Set([0, text.length]);
  for (const { from, to } of tokens) ends.add(from).add(to);
  for (const { at } of marks) ends.add(at[0]).add(at[1]);
  const cuts = [...ends].sort((a, b) => a - b);
  let next = 0;
  return cuts.slice(0, -1).map((from, index) => {
    while (next < tokens.length && tokens[next].to <= from) next += 1;
    const token = tokens[next]?.from <= from ? tokens[next].kind : "";
    const mark = marks.find(({ at }) => at[0] <= from && from < at[1]);
    const piece = text.slice(from, cuts[index + 1]);
    return token || mark ? html`<span class="${token && `json-${token}`} ${mark ? `mark ${mark.severity}` : ""}">${piece}</span>` : piece;
  });
}

/** Puts a new text in as if it were typed: only what differs, so that undo and the caret survive. */
export function retype(text) {
  const field = document.querySelector("#text");
  const before = field.value;
  const most = Math.min(before.length, text.length);
  let start = 0;
  while (start < most && before[start] === text[start]) start += 1;
  let end = 0;
  while (end < most - start && before.at(-1 - end) === text.at(-1 - end)) end += 1;
  field.focus();
  field.setSelectionRange(start, before.length - end);
  const piece = text.slice(start, text.length - end);
  const typed = piece ? document.execCommand("insertText", false, piece) : document.execCommand("delete");
  if (!typed || field.value !== text) {
    field.value = text;
    field.dispatchEvent(new Event("input"));
  }
}

/** Selects a place of the text, and scrolls to it. */
export function select([from, to]) {
  const field = document.querySelector("#text");
  field.focus();
  field.setSelectionRange(from, to);
  const line = lineOf(field.value, from);
  const box = document.querySelector(".editor");
  const height = parseFloat(getComputedStyle(field).lineHeight);
  box.scrollTop = Math.max(0, (line - 4) * height);
}
