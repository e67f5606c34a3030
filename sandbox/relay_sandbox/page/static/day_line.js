// The day line: from a trace to a geometry, and to the same facts in words. Pure: the clock is an
// argument. A line is the event's own day, from 00:00 to 06:00 of the next, in the zone that the rule
// goes by (UTC for mobile events, the app's zone for web events), so that all lines compare.
//
// All `x` are parts of the line's length, 0 to 1.

import { clockText, dayText, limitText, momentText, parse, spanText, startOfDay } from "./zones.js";

const HOUR = 3_600_000;
const AFTER_MIDNIGHT = 6 * HOUR;
const BEFORE_MIDNIGHT = 0.75 * HOUR;
const AFTER_DEADLINE = HOUR;
const NEAR_DEADLINE = HOUR / 2;
const LEAST_ZOOMED = 4 * 60_000;
const MOST_TICKS = 5;
const STEPS = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].map((seconds) => seconds * 1000);

const HAVE_NO_DAY = new Set(["webhook", "install"]); // AppsFlyer counts the events that come of them

const NOT_SENT = new Set(["rejected", "refused", "dead_letter", "dropped", "duplicate"]);

const cache = new WeakMap();

/** The line of a trace or of a check's answer; null if it knows of no moment. Kept for each object. */
export function dayLine(trace) {
  if (!cache.has(trace)) cache.set(trace, reckon(trace));
  return cache.get(trace);
}

function reckon(trace) {
  if (HAVE_NO_DAY.has(trace.kind)) return null;
  const zone = trace.zone || "UTC";
  const moments = momentsOf(trace);
  const anchor = moments.own ?? moments.arrival ?? moments.came;
  if (anchor === null || Number.isNaN(anchor)) return null;
  const start = startOfDay(anchor, zone);
  const midnight = startOfDay(anchor, zone, 1);
  const end = midnight + AFTER_MIDNIGHT;
  return {
    zone,
    moments,
    midnight,
    start,
    end,
    day: dayText(anchor, zone),
    nextDay: dayText(midnight, zone),
    counts: countsAt(trace),
    main: { ...drawn(moments, midnight, start, end), ticks: mainTicks(start, midnight, end) },
    zoomed: zoomed(moments, midnight, zone),
  };
}

/** The moments that a line shows, in milliseconds; null where there is none. */
function momentsOf(trace) {
  return {
    own: parse(trace.own_time),
    deadline: parse(trace.deadline),
    arrival: parse(trace.arrival),
    came: parse(trace.came_in),
    tries: failedTries(trace.steps ?? []).map((step) => parse(step.at)),
  };
}

/** The tries that failed: each answer that is none of success, silence, and what never got there. */
function failedTries(steps) {
  const failed = [];
  let told = true;
  for (const step of steps) {
    if (step.kind === "received") told = false;
    const isAnswer = step.kind === "answered" || step.kind === "silent";
    const isBad = isAnswer ? step.status === null || step.status >= 300 : step.kind === "waits" && !told;
    if (isBad) failed.push(step);
    if (isAnswer) told = true;
  }
  return failed;
}

/** What AppsFlyer has recorded, or will: nothing of an event that was not sent, or not taken. */
function recordedOf(trace) {
  const { recorded, outcome } = trace;
  return recorded && (recorded.sure || !NOT_SENT.has(outcome)) ? recorded : null;
}

/** Which moment AppsFlyer counts: "own", "arrival", or null while it counts none. */
function countsAt(trace) {
  const recorded = recordedOf(trace);
  if (!recorded) return null;
  return recorded.source === "event" ? "own" : "arrival";
}

function drawn(moments, midnight, start, end) {
  const place = (ms) => (ms === null ? null : (ms - start) / (end - start));
  const within = (ms) => (ms === null ? null : Math.min(1, Math.max(0, place(ms))));
  return {
    own: within(moments.own),
    deadline: shownLimit(place, moments.deadline),
    keepsUntil: moments.deadline === null ? null : within(moments.deadline + 1),
    midnight: place(midnight) > 0 && place(midnight) < 1 ? place(midnight) : null,
    arrival: within(moments.arrival),
    beyond: beyond(place(moments.arrival)),
    tries: moments.tries.map(place).filter((x) => x >= 0 && x <= 1),
  };
}

const shownLimit = (place, last) =>
  last !== null && place(last + 1) >= 0 && place(last + 1) <= 1 ? place(last + 1) : null;

/** Whether the arrival lies outside the line: "after", "before" or null. */
function beyond(x) {
  if (x === null || (x >= 0 && x <= 1)) return null;
  return x > 1 ? "after" : "before";
}

function mainTicks(start, midnight, end) {
  const hours = [0, 6, 12, 18].map((hour) => ({ at: start + hour * HOUR, text: pad(hour) }));
  const all = [...hours, { at: midnight, text: "00:00" }];
  return all.map(({ at, text }) => ({ x: (at - start) / (end - start), text }));
}

const pad = (hour) => `${String(hour).padStart(2, "0")}:00`;

/** The minutes around midnight, closer, where everything happened within hours of it; else null. */
function zoomed(moments, midnight, zone) {
  const { own, arrival, came, deadline, tries } = moments;
  const points = [own, arrival, came, ...tries].filter((ms) => ms !== null);
  const latest = (deadline ?? midnight) + AFTER_DEADLINE;
  const isNear = (ms) => ms >= midnight - BEFORE_MIDNIGHT && ms <= latest;
  if (own === null || points.length < 2 || !points.every(isNear)) return null;
  const shown = [...points, midnight];
  if (deadline !== null && Math.max(...points) > deadline - NEAR_DEADLINE) shown.push(deadline + 1);
  const low = Math.min(...shown);
  const span = Math.max(LEAST_ZOOMED, Math.max(...shown) - low);
  const [start, end] = [low - span * 0.12, low + span * 1.12];
  return { ...drawn(moments, midnight, start, end), ticks: closeTicks(start, end, zone) };
}

function closeTicks(start, end, zone) {
  const step = STEPS.find((one) => (end - start) / one <= MOST_TICKS) ?? STEPS.at(-1);
  const ticks = [];
  for (let at = Math.ceil(start / step) * step; at < end; at += step) {
    ticks.push({ x: (at - start) / (end - start), text: clockText(at, zone, { seconds: step < 60_000 }) });
  }
  return ticks;
}

// In words

/** What stands under a small line: "keeps 26 Nov". `tone` is "good", "late" or "". */
export function caption(trace) {
  const line = dayLine(trace);
  if (!line) return { text: "", tone: "" };
  const counted = recordedOf(trace);
  if (trace.outcome === "duplicate") return { text: "not sent again", tone: "" };
  if (counted?.source === "event") return { text: `keeps ${line.day}`, tone: "good" };
  if (counted && line.moments.own === null) return { text: `counts on ${dayOf(counted, line)}`, tone: "" };
  if (counted) return { text: `counts on ${dayOf(counted, line)} (${counted.rule})`, tone: "late" };
  if (line.moments.deadline === null || trace.outcome === "dropped") return { text: "", tone: "" };
  return { text: `until ${limitText(line.moments.deadline, line.zone)}`, tone: "" };
}

const dayOf = (recorded, line) => dayText(parse(recorded.time), line.zone);

/** Which day counts and why, in sentences; `now` is the moment at which that is said. */
export function daySentence(trace, now) {
  const line = dayLine(trace);
  if (!line) return "";
  if (recordedOf(trace)) return countedSentence(trace, line);
  if (trace.outcome === "duplicate") return "The event of before counts; nothing was sent again.";
  if (line.moments.deadline === null || trace.outcome === "dropped") return "";
  return openSentence(trace, line, now);
}

function countedSentence(trace, line) {
  const { own, arrival, deadline } = line.moments;
  const { recorded } = trace;
  const counts = recorded.sure ? "AppsFlyer counts it" : "AppsFlyer would count it";
  if (recorded.source === "event") {
    const margin = arrival !== null && deadline !== null ? ` ${inTime(arrival, deadline, recorded.sure)}` : "";
    return `${counts} on ${line.day}, at its own time (${recorded.rule}).${margin}`;
  }
  const day = dayOf(recorded, line);
  if (own === null) return `${counts} on ${day}, when it arrives: it has no time of its own (${recorded.rule}).`;
  const late = arrival !== null && deadline !== null && arrival > deadline;
  const why = late ? `It arrived ${spanText(arrival - deadline)} after the deadline` : "Its own time cannot be kept";
  return `${counts} on ${day}, when it arrived, and not on ${line.day}. ${why} (${recorded.rule}).`;
}

const inTime = (arrival, deadline, isSure) =>
  `${isSure ? "It arrived" : "That is"} ${spanText(deadline + 1 - arrival)} before the deadline.`;

function openSentence(trace, line, now) {
  const { deadline } = line.moments;
  const limit = `${limitText(deadline, line.zone)} ${line.zone}`;
  if (now > deadline) return `Its own day, ${line.day}, is over since ${limit}: it would count when it arrives.`;
  const left = spanText(deadline + 1 - now);
  const verb = { rejected: "Mend it", refused: "Mend it", dead_letter: "Redrive it" }[trace.outcome];
  if (verb) return `${verb} before ${limit} and it still counts on ${line.day}: ${left} left.`;
  return `It keeps its day if it arrives before ${limit}: then AppsFlyer counts it on ${line.day}. ${left} left.`;
}

/** The facts of the line, as pairs of a word and a value, in the zone `zone`. */
export function facts(trace, zone, words = { arrival: "arrived there", recorded: "recorded" }) {
  const at = (iso) => (iso ? momentText(parse(iso), zone) : null);
  const limit = trace.deadline ? `${limitText(parse(trace.deadline), zone)}` : null;
  return [
    ["happened", at(trace.own_time) ?? (trace.came_in ? "no time of its own" : null)],
    ["came in here", at(trace.came_in)],
    [words.arrival, at(trace.arrival)],
    ["deadline", limit && `before ${limit}`],
    ["next try", trace.ended ? null : at(trace.next_look)],
    [words.recorded, recordedOf(trace) && `${at(trace.recorded.time)} (${trace.recorded.rule})`],
  ].filter(([, value]) => value);
}

/** The line as one sentence, for those who do not see it. */
export function describe(trace) {
  const line = dayLine(trace);
  if (!line) return "No day line: no time of its own that AppsFlyer counts.";
  const said = facts(trace, line.zone).map(([word, value]) => `${word} ${value}`);
  const failed = line.moments.tries.length;
  if (failed) said.push(`${failed} failed ${failed === 1 ? "try" : "tries"}`);
  return `Day line of ${line.day} (${line.zone}): ${said.join(", ")}.`;
}
