// JSON as text: where each value stands, and where it breaks. Pure.
// A path is a list of keys and indexes. Several values one after the other (a line each) are
// told apart by an index at the front of their paths.

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const DEEPEST = 200;

class Broken extends Error {
  constructor(at, message) {
    super(message);
    this.at = at;
  }
}

/**
 * Reads a text: `tokens` to colour it, `places` by path (`place`), `error` {at, line, column, message}
 * or null.
 */
export function read(text) {
  const one = new Reader(text);
  one.all([]);
  if (one.roots < 2) return one;
  const several = new Reader(text);
  several.all(null);
  return several;
}

/** Where the value at a path stands, or the nearest around it: {key, value, exact}; null if nowhere. */
export function place(reading, path) {
  for (let length = path.length; length >= 0; length -= 1) {
    const found = reading.places.get(JSON.stringify(path.slice(0, length)));
    if (found) return { ...found, exact: length === path.length };
  }
  return null;
}

/** The line of an offset, from 1. */
export function lineOf(text, at) {
  let line = 1;
  for (let from = text.indexOf("\n"); from !== -1 && from < at; from = text.indexOf("\n", from + 1)) line += 1;
  return line;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.roots = 0;
    this.tokens = [];
    this.places = new Map();
    this.error = null;
  }

  all(prefix) {
    try {
      this.skip();
      if (this.at === this.text.length) throw new Broken(0, "There is nothing here yet.");
      while (this.at < this.text.length) {
        this.value(prefix ?? [this.roots], null, 0);
        this.roots += 1;
        this.skip();
        if (prefix && this.at < this.text.length) return this.leave();
      }
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.error = this.located(error);
    }
    return undefined;
  }

  /** More than one value: whether the next one begins as values do decides what is said of it. */
  leave() {
    const next = this.text[this.at];
    if (/[{["\-\dtfn]/.test(next)) this.roots += 1;
    else this.error = this.located(new Broken(this.at, "One value has ended here; nothing may follow it."));
  }

  located({ at, message }) {
    const line = lineOf(this.text, at);
    const column = at - this.text.lastIndexOf("\n", at - 1);
    return { at, line, column, message };
  }

  value(path, key, depth) {
    if (depth > DEEPEST) throw new Broken(this.at, "This is nested too deeply.");
    const from = this.at;
    const next = this.text[from];
    if (next === "{") this.object(path, depth);
    else if (next === "[") this.array(path, depth);
    else this.scalar();
    this.places.set(JSON.stringify(path), { key, value: [from, this.at] });
  }

  object(path, depth) {
    this.at += 1;
    if (this.closes("}")) return;
    for (;;) {
      const from = this.at;
      if (!this.take(STRING, "key")) throw new Broken(this.at, this.expected("a name in double quotes"));
      const key = [from, this.at];
      const name = JSON.parse(this.text.slice(...key));
      this.skip();
      if (this.text[this.at] !== ":") throw new Broken(this.at, this.expected("a colon"));
      this.at += 1;
      this.skip();
      this.value([...path, name], key, depth + 1);
      if (this.ends("}")) return;
    }
  }

  array(path, depth) {
    this.at += 1;
    if (this.closes("]")) return;
    for (let index = 0; ; index += 1) {
      this.value([...path, index], null, depth + 1);
      if (this.ends("]")) return;
    }
  }

  closes(end) {
    this.skip();
    if (this.text[this.at] !== end) return false;
    this.at += 1;
    return true;
  }

  ends(end) {
    if (this.closes(end)) return true;
    if (this.text[this.at] !== ",") throw new Broken(this.at, this.expected(`a comma or ${end}`));
    this.at += 1;
    this.skip();
    if (this.text[this.at] === end) throw new Broken(this.at, `There is a comma too many before ${end}.`);
    return false;
  }

  scalar() {
    const taken = this.take(STRING, "string") || this.take(NUMBER, "number") || this.take(WORD, "word");
    if (!taken) throw new Broken(this.at, this.expected("a value"));
  }

  take(pattern, kind) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found || !found[0]) return false;
    this.at += found[0].length;
    this.tokens.push({ from: this.at - found[0].length, to: this.at, kind });
    return true;
  }

  skip() {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
  }

  expected(what) {
    const next = this.text[this.at];
    if (next === undefined) return `The text ends where ${what} is expected.`;
    if (next === '"') return `A text in quotes does not end, or ${what} is expected here.`;
    if (next === "'") return `JSON takes double quotes only; ${what} is expected here.`;
    return `${what[0].toUpperCase()}${what.slice(1)} is expected here.`;
  }
}
