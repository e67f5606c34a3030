// Moments and days in a zone, as text. Moments are milliseconds since 1970; a zone is a name of the
// tz database. Pure.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const formatters = new Map();

/** A moment of the API's (ISO 8601) in milliseconds; null stays null. */
export const parse = (iso) => (iso ? Date.parse(iso) : null);

/** The zone of this browser. */
export const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The moment at which the day of `ms` begins in the zone, or the day `days` later. */
export function startOfDay(ms, zone, days = 0) {
  const { year, month, day } = calendar(ms, zone);
  const wall = Date.UTC(year, month - 1, day + days);
  // Twice, for the offset at the guess may be that of the other side of a change of the clocks.
  const guess = wall - offset(wall, zone);
  return wall - offset(guess, zone);
}

/** "26 Nov" */
export function dayText(ms, zone) {
  const { month, day } = calendar(ms, zone);
  return `${day} ${MONTHS[month - 1]}`;
}

/** "23:58:12", or "23:58". */
export function clockText(ms, zone, { seconds = true } = {}) {
  const { hour, minute, second } = calendar(ms, zone);
  const parts = seconds ? [hour, minute, second] : [hour, minute];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** "26 Nov 23:58:12" */
export const momentText = (ms, zone) => `${dayText(ms, zone)} ${clockText(ms, zone)}`;

/** The last millisecond before a limit, as people say it: "27 Nov 02:00". */
export function limitText(last, zone) {
  return `${dayText(last + 1, zone)} ${clockText(last + 1, zone, { seconds: false })}`;
}

/** How long: "0.4 s", "78 s", "12 min", "1 h 55 min", "3 d 4 h". */
export function spanText(ms) {
  const long = Math.abs(ms);
  if (long < 10_000) return `${Number((long / 1000).toFixed(1))} s`;
  if (long < 100_000) return `${Math.round(long / 1000)} s`;
  if (long < HOUR) return `${Math.floor(long / MINUTE)} min`;
  if (long < 2 * DAY) return twoParts(long, HOUR, "h", MINUTE, "min");
  return twoParts(long, DAY, "d", HOUR, "h");
}

function twoParts(ms, large, largeUnit, small, smallUnit) {
  const rest = Math.floor((ms % large) / small);
  const first = `${Math.floor(ms / large)} ${largeUnit}`;
  return rest ? `${first} ${rest} ${smallUnit}` : first;
}

function calendar(ms, zone) {
  if (zone === "UTC") {
    const date = new Date(ms);
    return {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
    };
  }
  const parts = {};
  for (const { type, value } of formatter(zone).formatToParts(ms)) parts[type] = Number(value);
  return parts;
}

function formatter(zone) {
  let found = formatters.get(zone);
  if (!found) {
    const shape = { year: "numeric", month: "numeric", day: "numeric" };
    const clock = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" };
    found = new Intl.DateTimeFormat("en", { timeZone: zone, ...shape, ...clock });
    formatters.set(zone, found);
  }
  return found;
}

function offset(ms, zone) {
  if (zone === "UTC") return 0;
  const { year, month, day, hour, minute, second } = calendar(ms, zone);
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}
