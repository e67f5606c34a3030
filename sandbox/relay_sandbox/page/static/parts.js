// Small pieces that several screens show.

import { html, nothing } from "./vendor/lit-html/lit-html.js";

/** How each outcome is shown: its sign, its word, and the tone of both. */
export const OUTCOMES = {
  queued: ["→", "on its way", "quiet"],
  delivered: ["✓", "delivered", "good"],
  waiting: ["↻", "waiting", "wait"],
  held: ["‖", "held", "held"],
  duplicate: ["=", "duplicate", "quiet"],
  rejected: ["✕", "rejected", "bad"],
  refused: ["✕", "refused", "bad"],
  dead_letter: ["✕", "dead letter", "bad"],
  dropped: ["–", "dropped", "quiet"],
};

const SEVERITIES = { reject: "bad", warn: "wait", repair: "quiet" };

/** The word for what became of a row: a webhook is taken, not delivered. */
export function wordOf({ outcome, kind }) {
  if (outcome === "delivered" && ["webhook", "install"].includes(kind)) return "taken";
  return OUTCOMES[outcome]?.[1] ?? outcome;
}

/** The sign and word of an outcome. */
export function chip(row) {
  const [sign, , tone] = OUTCOMES[row.outcome] ?? ["?", "", "quiet"];
  const word = wordOf(row);
  return html`<span class="chip ${tone}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}

/** A rule's number, in the tone of what it means for the event. */
export const ruleChip = (finding) =>
  html`<abbr class="rule ${SEVERITIES[finding.severity]}" title="${finding.severity} ${finding.rule}: ${finding.field} ${finding.message}">${finding.rule}</abbr>`;

/** "reject M4" and what it says. */
export function findingLine(finding, extra = nothing) {
  return html`<li>
    <span class="rule ${SEVERITIES[finding.severity]}">${finding.severity} ${finding.rule}</span>
    <div><code>${finding.field}</code> ${finding.message} ${extra}</div>
  </li>`;
}

/** The findings, the worst first. */
export const worstFirst = (findings) =>
  [...findings].sort((a, b) => rank(a.severity) - rank(b.severity));

const rank = (severity) => ["reject", "warn", "repair"].indexOf(severity);

/** Money as it was sent: "4.99 EUR". */
export const money = (row) =>
  row.revenue === null || row.revenue === undefined
    ? nothing
    : html`<span class="money">${row.revenue.replace("-", "−")} ${row.currency ?? ""}</span>`;

/** A button that copies a text, and says so. */
export function copyButton(text, label, key = null) {
  return html`<button class="quiet" type="button" data-copy ?disabled=${!text} @click=${(event) => copy(event, text)}>
    ${label}${key ? html` <kbd>${key}</kbd>` : nothing}
  </button>`;
}

async function copy(event, text) {
  const button = event.currentTarget;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    said = "The browser does not let this page copy";
  }
  announce(said);
  button.dataset.said = said;
  setTimeout(() => delete button.dataset.said, 1500);
}

/** Says something to those who do not see the page; a person's own act is answered at once. */
export function announce(text) {
  document.querySelector("#summary").textContent = text;
}

/** A reason in a few words. */
export const reasonText = (reason) =>
  ({ no_event: "no event came of it", ignored: "says nothing of money" })[reason] ?? (reason ?? "").replace(/^http_(?=\d)/, "answered ").replaceAll("_", " ");

const NAMES = { stripe: "Stripe", revenuecat: "RevenueCat", paddle: "Paddle", adyen: "Adyen", standard_webhooks: "Standard Webhooks" };

/** A provider's name as it writes it. */
export const providerName = (provider) => NAMES[provider] ?? provider;

/** The first letter in upper case, and a point at the end. */
export const sentenceOf = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

/** What a source is called. */
export const sourceText = (source) =>
  ({ sqs: "SQS", http: "HTTP", push: "Push API" })[source] ?? providerName(source.replace("payments:", ""));

/** JSON text on several lines, or as it is. */
export function pretty(text) {
  try {
    return indented(text);
  } catch {
    return text;
  }
}

/** Indents without touching a number: JavaScript would round those that it cannot hold. */
function indented(text) {
  JSON.parse(text);
  let depth = 0;
  const line = (change) => `\n${"  ".repeat((depth += change))}`;
  return text.replace(/"(?:[^"\\]|\\.)*"|\s+|[{}[\],:]/g, (token, at) => {
    if (token[0] === '"') return token;
    if (!token.trim()) return "";
    const next = text.slice(at + 1).trimStart()[0];
    const last = text.slice(0, at).trimEnd().at(-1);
    if ("{[".includes(token)) return "}]".includes(next) ? token : token + line(1);
    if ("}]".includes(token)) return "{[".includes(last) ? token : line(-1) + token;
    return token === "," ? `,${line(0)}` : ": ";
  });
}
