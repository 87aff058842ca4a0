// Server-sent events as https://html.spec.whatwg.org/multipage/server-sent-events.html reads them, over fetch: EventSource
// can neither POST nor send a token.

/** Turns pieces of text into frames `{id, event, data}`; `id` is that of the latest frame that had one. */
export class SseParser {
  #line = [];
  #skipLineFeed = false;
  #data = [];
  #event = "";
  #id = "";

  feed(text) {
    const frames = [];
    let start = 0;
    if (this.#skipLineFeed && text.length) {
      if (text[0] === "\n") start = 1;
      this.#skipLineFeed = false;
    }
    const ends = /\r\n|\r|\n/g;
    ends.lastIndex = start;
    for (let found = ends.exec(text); found; found = ends.exec(text)) {
      this.#line.push(text.slice(start, found.index));
      start = found.index + found[0].length;
      if (found[0] === "\r" && start === text.length) this.#skipLineFeed = true;
      const line = this.#line.length === 1 ? this.#line[0] : this.#line.join("");
      this.#line.length = 0;
      this.#take(line, frames);
    }
    if (start < text.length) this.#line.push(text.slice(start));
    return frames;
  }

  #take(line, frames) {
    if (line === "") {
      if (this.#data.length) frames.push({ id: this.#id, event: this.#event || "message", data: this.#data.join("\n") });
      this.#data = [];
      this.#event = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }
}

/** The frames of a response, in arrays as they arrive; ends when the body does. Throws when the connection breaks. */
export async function* readFrames(response) {
  if (!response.body) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const frames = parser.feed(decoder.decode(value, { stream: true }));
      if (frames.length) yield frames;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
