// Draws a day line: small for a row, large for an event. Places are per cent, so that text keeps its
// size whatever the width.

import { html, svg, nothing } from "./vendor/lit-html/lit-html.js";
import { dayLine, describe } from "./day_line.js";
import { clockText, dayText, limitText, momentText } from "./zones.js";

const percent = (x) => `${(x * 100).toFixed(2)}%`;
const between = (from, to) => percent(Math.max(0, to - from));

/** The line of a row. */
export function smallLine(trace) {
  const line = dayLine(trace);
  if (!line) return html`<span class="no-line" aria-hidden="true"></span>`;
  return html`<svg class="day-line small" height="16" role="img" aria-label=${describe(trace)}>
    ${axis(line.main, 8, 4)} ${marks(line.main, line, 8, 3.4)}
  </svg>`;
}

/** The line of an event, with the minutes around midnight below it where that is where it happened. */
export function largeLine(trace, words = { own: "happened", arrival: "arrived" }) {
  const line = dayLine(trace);
  if (!line) return nothing;
  return html`<figure class="day-lines">
    <svg class="day-line large" height="112" role="img" aria-label=${describe(trace)}>
      ${labels(line.main, line, words, 66)} ${axis(line.main, 66, 10)} ${marks(line.main, line, 66, 6)}
      ${ticks(line.main.ticks, 94)} ${dayNames(line)}
    </svg>
    ${line.zoomed ? closer(line, words) : nothing}
  </figure>`;
}

function closer(line, words) {
  const { zoomed } = line;
  const tries = zoomed.tries.length;
  const failed = tries ? `, ${tries} failed ${tries === 1 ? "try" : "tries"} ✕` : "";
  return html`<figcaption>The same, closer: the time around midnight${failed}</figcaption>
    <svg class="day-line large" height="80" aria-hidden="true">
      ${labels({ ...zoomed, deadline: null }, line, words, 50, 12)} ${axis(zoomed, 50, 8)}
      ${marks(zoomed, line, 50, 6)} ${ticks(zoomed.ticks, 76)}
    </svg>`;
}

function axis(part, y, half) {
  const { own, deadline, keepsUntil } = part;
  const keeps = own !== null && keepsUntil !== null && keepsUntil > own;
  const late = deadline !== null && deadline < 1;
  return svg`
    <line class="axis" x1="0%" x2="100%" y1=${y} y2=${y} />
    ${keeps ? band("keeps", own, keepsUntil, y, half) : nothing}
    ${late ? band("lost", Math.max(deadline, own ?? 0), 1, y, half) : nothing}
    ${part.midnight === null ? nothing : stroke("midnight", part.midnight, y - half - 4, y + half + 4)}
    ${deadline === null ? nothing : stroke("deadline", deadline, y - half - 2, y + half + 2)}`;
}

const band = (name, from, to, y, half) =>
  svg`<rect class="band ${name}" x=${percent(from)} width=${between(from, to)} y=${y - half} height=${half * 2} />`;

const stroke = (name, x, y1, y2) =>
  svg`<line class=${name} x1=${percent(x)} x2=${percent(x)} y1=${y1} y2=${y2} />`;

function marks(part, line, y, size) {
  return svg`
    ${part.tries.map((x) => at(x, y, svg`<path class="failed-try" d=${cross(size * 0.8)} />`))}
    ${part.arrival === null ? nothing : arrivalMark(part, line, y, size)}
    ${part.own === null ? nothing : ownMark(part, line, y, size)}`;
}

const ownMark = (part, line, y, size) =>
  svg`<circle class="own ${line.counts === "own" ? "counts" : ""}" cx=${percent(part.own)} cy=${y} r=${size} />`;

function arrivalMark(part, line, y, size) {
  const counts = line.counts === "arrival" ? "counts" : "";
  const dots = part.beyond ? svg`<path class="beyond" d="M${part.beyond === "after" ? -16 : 6} 0h10" />` : nothing;
  return at(part.arrival, y, svg`${dots}<path class="arrival ${counts}" d=${triangle(size * 1.15)} />`);
}

const at = (x, y, drawing) => svg`<svg x=${percent(x)} y=${y} overflow="visible" role="presentation">${drawing}</svg>`;
const triangle = (size) => `M${-size} ${-size}h${2 * size}L0 ${size * 0.9}z`;
const cross = (size) => `M${-size} ${-size}L${size} ${size}M${size} ${-size}L${-size} ${size}`;

/** Each label has a row of its own, so that none meets another, however close their moments are. */
function labels(part, line, words, y, first = 12) {
  const { own, arrival, deadline } = line.moments;
  let row = first;
  const rows = [];
  const place = (name, x, text, end = x > 0.5) => {
    rows.push(label(name, x, row, y, text, end));
    row += 17;
  };
  if (part.deadline !== null) place("for-deadline", part.deadline, `deadline ${limitText(deadline, line.zone)}`, true);
  if (own !== null) place("for-own", part.own, `${words.own} ${clockText(own, line.zone)}`);
  if (arrival !== null) place("for-arrival", part.arrival, arrivalLabel(part, line, words));
  return rows;
}

function arrivalLabel(part, line, words) {
  const { arrival } = line.moments;
  const isFar = part.beyond || dayText(arrival, line.zone) !== line.day;
  const when = isFar ? momentText(arrival, line.zone) : clockText(arrival, line.zone);
  return `${words.arrival} ${when}`;
}

function label(name, x, row, y, text, end) {
  const anchor = name === "for-deadline" ? "100%" : percent(x);
  const shift = name === "for-deadline" ? 0 : end ? -5 : 5;
  return svg`<line class="leader ${name}" x1=${percent(x)} x2=${percent(x)} y1=${row + (name === "for-deadline" ? 4 : -9)} y2=${y} />
    <text class=${name} x=${anchor} dx=${shift} y=${row} text-anchor=${end ? "end" : "start"}>${text}</text>`;
}

const ticks = (all, y) =>
  all.map(({ x, text }) => svg`<text class="tick" x=${percent(x)} y=${y} text-anchor=${x < 0.04 ? "start" : x > 0.96 ? "end" : "middle"}>${text}</text>`);

const dayNames = (line) => svg`
  <text class="tick" x="0%" y="109" text-anchor="start">${line.day}</text>
  <text class="tick" x="100%" y="109" text-anchor="end">${line.nextDay}, ${line.zone}</text>`;
