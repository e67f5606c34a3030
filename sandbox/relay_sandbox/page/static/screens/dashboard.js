// Dashboard: the stack's own CloudWatch dashboard, drawn from what this sandbox has measured. A second
// here stands for a minute there.

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { get } from "../api.js";
import { amount, areas, lines, most } from "../graph.js";

const LOOK_EVERY = 2000;
const state = { board: null, problem: null, timer: null };

export function enter(app) {
  load(app);
  state.timer ??= setInterval(() => {
    if (app.view.screen === "dashboard" && !document.hidden) load(app);
  }, LOOK_EVERY);
}

async function load(app) {
  try {
    state.board = await get("dashboard");
    state.problem = null;
  } catch (error) {
    state.problem = error.message;
  }
  app.redraw();
}

export function view() {
  return html`<div class="page board-page"><h1>Dashboard</h1>
    <p class="lead">What operations see in CloudWatch: the dashboard of <code>template.yaml</code>, with what this sandbox has measured.
      A second here stands for a minute there: each point is 5 s, and each graph the last two minutes. Ages of messages are in seconds as they are.</p>
    ${state.problem ? html`<p class="verdict bad" role="alert">${state.problem}</p>` : nothing}
    ${state.board ? board(state.board) : html`<p class="sub">Looking ...</p>`}</div>`;
}

function board({ name, widgets }) {
  if (!widgets.length) return html`<p class="verdict wait">The template has no dashboard.</p>`;
  return html`<section class="board" aria-label="Dashboard ${name}">${widgets.map(
    (one) => html`<article class="widget w-${one.width} h-${one.height}">${drawn(one)}</article>`,
  )}</section>`;
}

function drawn(widget) {
  if (widget.type === "text") return html`<p class="board-text">${inline(widget.markdown)}</p>`;
  const title = html`<h2>${widget.title}</h2>`;
  if (widget.type === "alarm") return html`${title}${alarms(widget.alarms)}`;
  if (widget.type === "log") return html`${title}${table(widget)}`;
  if (widget.view === "number") return html`${title}<p class="board-number">${amount(widget.value)}</p>`;
  return html`${title}${graph(widget)}`;
}

/** The little Markdown that the widgets use: bold, code, emphasis; a link into the console is its text. */
function inline(markdown) {
  return markdown.split(/(\*\*[^*]+\*\*|`[^`]+`|\*[^*]+\*|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (part.startsWith("**")) return html`<b>${part.slice(2, -2)}</b>`;
    if (part.startsWith("`")) return html`<code>${part.slice(1, -1)}</code>`;
    if (part.startsWith("*")) return html`<em>${part.slice(1, -1)}</em>`;
    if (part.startsWith("[")) return part.slice(1, part.indexOf("]"));
    return part;
  });
}

function alarms(all) {
  const ringing = all.filter((one) => one.rings).length;
  return html`<p class="sub">${ringing ? `${ringing} of ${all.length} ring` : `None of ${all.length} rings`}; those with metric math are not judged here.</p>
    <ul class="board-alarms" tabindex="0" aria-label="Alarms">${all.map(
      (one) => html`<li class=${one.rings ? "bad" : "quiet"} title=${one.what}><span aria-hidden="true">${one.rings ? "▲" : "✓"}</span>
        ${one.name}<span class="unseen">${one.rings ? " rings" : " is quiet"}</span></li>`,
    )}</ul>`;
}

function table({ title, heads, rows }) {
  if (!rows.length) return html`<p class="board-none">Nothing</p>`;
  return html`<div class="wide-table" tabindex="0" role="region" aria-label=${title}><table class="plain">
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell || "–"}</td>`)}</tr>`)}</tbody></table></div>`;
}

function graph(widget) {
  const shown = widget.lines.map((line, at) => ({ ...line, at })).filter((line) => line.points.some((one) => one !== null));
  const highest = { left: most(widget, "left"), right: most(widget, "right") };
  const text = shown.map((line) => `${line.label}: at most ${amount(Math.max(...line.points))}`).join("; ") || "No data";
  const { left, right } = widget.units;
  return html`<div class="board-graph">
      <span class="board-axis"><b>${amount(highest.left)}</b> ${left}</span>
      ${right && shown.some((line) => line.side === "right") ? html`<span class="board-axis right"><b>${amount(highest.right)}</b> ${right}</span>` : nothing}
      <svg viewBox="0 0 360 100" preserveAspectRatio="none" role="img" aria-label="${widget.title}. ${text}">
        <line class="axis" x1="0" x2="360" y1="99.5" y2="99.5" />
        ${widget.stacked ? areas(shown, highest.left).map(([line, points]) => svg`<polygon class="series s-${line.at % 10} filled" points=${points} />`) : nothing}
        ${widget.stacked ? nothing : shown.map((line) => lines(line, highest[line.side]).map((points) => svg`<polyline class="series s-${line.at % 10}" points=${points} />`))}
        ${widget.marks.filter((mark) => mark.value <= highest[mark.side]).map((mark) => limit(mark, highest[mark.side]))}
      </svg>${shown.length ? nothing : html`<span class="board-none">No data</span>`}</div>
    <ul class="board-legend">${shown.map((line) => html`<li><i class="s-${line.at % 10}" aria-hidden="true"></i>${line.label}</li>`)}
      ${widget.marks.map((mark) => html`<li class="sub"><i class="mark" aria-hidden="true"></i>${mark.label}: ${amount(mark.value)}</li>`)}</ul>`;
}

function limit(mark, highest) {
  const y = 100 - (100 * mark.value) / highest;
  return svg`<line class="mark" x1="0" x2="360" y1=${y} y2=${y} />`;
}
