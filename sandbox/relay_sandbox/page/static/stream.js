// The stream of server-sent events: one a tab, resumed by the id of its last message, closed while
// the tab is hidden. Read with fetch and not with EventSource, which cannot resume after it was
// closed, and does not say why it failed.

const SILENCE = 35_000; // the server says at least every 15 s that it is there
const PAUSES = [500, 1000, 2000, 5000];

/**
 * Opens it. `onMessage(event, data)` gets what it says; `onState` gets
 * {name: "connecting" | "live" | "lost" | "hidden", why, since}.
 */
export function openStream({ onMessage, onState }) {
  const stream = new Stream(onMessage, onState);
  document.addEventListener("visibilitychange", () => stream.look());
  addEventListener("online", () => stream.look());
  stream.look();
  return stream;
}

class Stream {
  constructor(onMessage, onState) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.lastId = null;
    this.open = null;
    this.failures = 0;
    this.lostSince = null;
  }

  /** Opens it where it should be open, and closes it where it should not. */
  look() {
    clearTimeout(this.timer);
    if (document.hidden) this.close();
    else if (!this.open) this.connect();
  }

  close() {
    this.open?.abort();
    this.open = null;
    this.onState({ name: "hidden", why: "this tab is in the background", since: null });
  }

  async connect() {
    const open = new AbortController();
    this.open = open;
    if (this.lostSince === null) this.onState({ name: "connecting", why: "", since: null });
    try {
      await this.read(open);
      throw new Error("the sandbox has ended the stream");
    } catch (error) {
      if (this.open === open) this.lost(error);
    }
  }

  lost(error) {
    this.open.abort();
    this.open = null;
    this.lostSince ??= Date.now();
    const why = error instanceof TypeError ? "the sandbox does not answer" : error.message;
    this.onState({ name: "lost", why, since: this.lostSince });
    this.timer = setTimeout(() => this.look(), PAUSES[Math.min(this.failures, PAUSES.length - 1)]);
    this.failures += 1;
  }

  async read(open) {
    const headers = this.lastId === null ? {} : { "Last-Event-ID": this.lastId };
    const response = await fetch("/api/stream", { headers, signal: open.signal, cache: "no-store" });
    if (!response.ok) throw new Error(`the sandbox answered ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    this.begun();
    let rest = "";
    for (;;) {
      const { done, value } = await this.orSilence(reader.read(), open);
      if (done) return;
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      // A stream that was closed meanwhile says nothing more.
      if (this.open !== open) return;
      messages.forEach((message) => this.message(message));
    }
  }

  begun() {
    this.failures = 0;
    this.lostSince = null;
    this.onState({ name: "live", why: "", since: null });
  }

  orSilence(reading, open) {
    let timer;
    const silence = new Promise((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error("nothing was heard for half a minute"));
        open.abort();
      }, SILENCE);
    });
    reading.catch(() => {});
    return Promise.race([reading, silence]).finally(() => clearTimeout(timer));
  }

  message(text) {
    const fields = Object.fromEntries(
      text.split("\n").filter((line) => !line.startsWith(":")).map((line) => {
        const [name, ...rest] = line.split(": ");
        return [name, rest.join(": ")];
      }),
    );
    if (fields.event && fields.data) this.onMessage(fields.event, JSON.parse(fields.data));
    if (fields.id) this.lastId = fields.id; // last: what failed to be taken in is told again
  }
}
