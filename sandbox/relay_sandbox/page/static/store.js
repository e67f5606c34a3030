// What the page knows. The stream fills it; screens read it. New rows wait while somebody reads, and
// everything waits while the page is paused.

const MOST_ROWS = 1000;

export class Store {
  constructor(onChange) {
    this.onChange = onChange;
    this.rows = new Map(); // by key; what is newest came in last
    this.newest = new Map(); // the key of the newest row, by event id
    this.shown = []; // the rows of the list, the newest first
    this.shownKeys = new Set();
    this.state = null;
    this.stream = { name: "connecting", why: "", since: null };
    this.paused = false;
    this.reading = false;
    this.endedSince = new Map(); // outcome by key, for the summary that is read out
  }

  /** A message of the stream. */
  take(event, data) {
    if (event === "snapshot") this.snapshot(data);
    else if (event === "traces") data.forEach((row) => this.put(row));
    else if (event === "state") this.state = data;
    this.trim();
    // The first thing that is heard is shown, whatever one reads.
    if (!this.paused) this.show(this.shown.length === 0);
    this.onChange();
  }

  snapshot({ state, traces }) {
    this.state = state;
    this.rows = new Map();
    this.newest = new Map();
    for (const row of traces.toReversed()) this.keep(row);
  }

  put(row) {
    const before = this.rows.get(row.key);
    if (row.ended && !before?.ended) this.endedSince.set(row.key, row.outcome);
    this.keep(row);
  }

  keep(row) {
    if (row.event_id && !this.rows.has(row.key)) this.newest.set(row.event_id, row.key);
    this.rows.set(row.key, row);
  }

  trim() {
    for (const [key, row] of this.rows) {
      if (this.rows.size <= MOST_ROWS) return;
      this.rows.delete(key);
      if (this.newest.get(row.event_id) === key) this.newest.delete(row.event_id);
    }
  }

  /** Shows what has changed of the rows that are shown, and all new ones unless somebody reads. */
  show(all = false) {
    if (all || !this.reading) {
      this.shown = [...this.rows.values()].reverse();
      this.shownKeys = new Set(this.rows.keys());
      return;
    }
    this.shown = this.shown.map((row) => this.rows.get(row.key) ?? row);
  }

  /** How many rows wait to be shown. */
  get waiting() {
    let count = 0;
    for (const key of this.rows.keys()) count += this.shownKeys.has(key) ? 0 : 1;
    return count;
  }

  setReading(reading) {
    if (this.reading === reading) return;
    this.reading = reading;
    if (!reading && !this.paused) this.show();
    this.onChange();
  }

  setPaused(paused) {
    this.paused = paused;
    if (!paused) this.show(true);
    this.onChange();
  }

  setStream(stream) {
    this.stream = stream;
    this.onChange();
  }

  /** The newest row of this key or event id. */
  find(id) {
    if (this.rows.has(id)) return this.rows.get(id);
    if (this.newest.has(id)) return this.rows.get(this.newest.get(id));
    // Over HTTP an id has its producer in front: `@shop:order-1`.
    const ids = [...this.newest.keys()].filter((one) => one.startsWith("@") && one.endsWith(`:${id}`));
    return ids.length ? this.rows.get(this.newest.get(ids.at(-1))) : null;
  }

  /** What ended since this was asked for: a count by outcome. */
  takeEnded() {
    const counts = {};
    for (const outcome of this.endedSince.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
    this.endedSince.clear();
    return counts;
  }
}
