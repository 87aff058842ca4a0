// One answer: its blocks hang on a thread in the order in which they began, and each grows where it stands.

import { clean, cleanLine } from "./clean.js";
import { duration, el } from "./dom.js";
import { jsonTree, parseExact } from "./json_tree.js";
import { MarkdownView } from "./markdown_view.js";

const MAX_BLOCKS = 400;
const CLIENT_CLOSED = 499;

export class AnswerView {
  constructor() {
    this.element = el("div.answer");
    this.events = 0;
    this.failed = false;
    this._streams = new Map();
    this._views = [];
    this._label = "";
    this._blocks = 0;
    this._left = 0;
    this._rest = null;
  }

  /** Take an event in. `seconds` is when it came, since the question; `stopping` whether the user has stopped the run. */
  add(frame, seconds, stopping = false) {
    this.events += 1;
    let event;
    try {
      event = JSON.parse(frame.data);
    } catch {
      event = { content_type: "unreadable" };
    }
    switch (event.content_type) {
      case "chunked.text":
        this._chunk(event, seconds);
        break;
      case "atomic.textblock":
        this._text(event, seconds);
        break;
      case "atomic.json":
        this._block("json", event.event_name, seconds, () => jsonTree(parseExact(frame.data).content));
        break;
      case "atomic.error":
        if (!(stopping && event.content?.error_code === CLIENT_CLOSED)) this._error(event, seconds);
        break;
      case "atomic.done":
        break;
      default:
        this._block("unknown", "?", seconds, () =>
          el("p.note", {}, `An event of the unknown type “${cleanLine(event.content_type, 60)}” was left out.`));
    }
    if (event.content_type !== "atomic.done" && event.content_type !== "atomic.error" && !event.is_complete) this.failed = false;
    return event;
  }

  /** Nothing more comes. */
  end() {
    for (const view of this._streams.values()) view.finish();
    this._streams.clear();
  }

  /** The answer as text, as it is copied. */
  text() {
    return this._views.map((view) => view()).filter(Boolean).join("\n\n");
  }

  _chunk(event, seconds) {
    const id = String(event.stream_id);
    let view = this._streams.get(id);
    if (!view) {
      view = this._markdown(event.event_name, seconds);
      this._streams.set(id, view);
    }
    if (!event.is_complete || String(event.content).trim()) view.append(String(event.content));
    if (event.is_complete) {
      view.finish();
      this._streams.delete(id);
    }
  }

  _text(event, seconds) {
    const view = this._markdown(event.event_name, seconds);
    view.append(String(event.content));
    view.finish();
  }

  _markdown(name, seconds) {
    const view = new MarkdownView();
    this._block("text", name, seconds, () => view.element);
    this._views.push(() => view.text.trim());
    return view;
  }

  _error(event, seconds) {
    this.failed = true;
    const { error_message: message, error_code: code, details } = event.content ?? {};
    const text = clean(String(message ?? "")).trim() || "The agent failed";
    this._block("error", "error", seconds, () =>
      el("div", {}, el("p", { dir: "auto" }, text, " ", el("span.code-number", {}, cleanLine(code ?? 500, 20))),
        details && Object.keys(details).length ? jsonTree(details) : null));
    this._views.push(() => `Error ${code ?? 500}: ${text}`);
  }

  _block(kind, name, seconds, body) {
    this._blocks += 1;
    if (this._blocks > MAX_BLOCKS) {
      this._count();
      return;
    }
    const label = cleanLine(name ?? "", 128);
    const again = label === this._label && kind === "text";
    this._label = label;
    const head = again ? null : el("div.label", {}, el("span.name", { dir: "auto" }, label),
      seconds === null ? null : el("span.when", {}, duration(seconds)));
    this.element.append(el(again ? `div.block.is-${kind}.again` : `div.block.is-${kind}`, {}, head, el("div.body", {}, body())));
  }

  _count() {
    this._left += 1;
    if (!this._rest) {
      this._rest = el("p.cut");
      this.element.append(this._rest);
    }
    this._rest.textContent = `${this._left.toLocaleString("en")} more parts are not shown here; the events have them.`;
  }
}
