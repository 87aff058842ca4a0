// The events of one run, as many as there are: only the rows that can be seen are elements.

import { cleanLine, escapeHidden } from "./clean.js";
import { duration, el, iconButton } from "./dom.js";
import { describe } from "./entries.js";
import { jsonTree, parseExact } from "./json_tree.js";

const ROW = 30; // pixels, as in the style sheet
const SPARE = 8;
const NEAR = 2 * ROW;
const KINDS = { "chunked.text": "chunk", "atomic.textblock": "text", "atomic.json": "json", "atomic.error": "error", "atomic.done": "done", "run.started": "started", "run.finished": "finished" };
const MAX_SCROLL = 8_000_000; // browsers cut elements that are taller

export class EventsPanel {
  /** `onChoose(run or null)`: null follows the newest. */
  constructor(entries, onChoose) {
    this._entries = entries;
    this._run = null;
    this._open = null; // the number of the entry that is opened
    this._focused = null;
    this._rows = new Map();
    this._frame = 0;
    this._following = true;
    this._list = document.getElementById("entries");
    this._canvas = el("div.canvas", { role: "list" });
    this._detail = null;
    this._list.append(this._canvas);
    this._count = document.getElementById("entry-count");
    this._list.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this._list.addEventListener("keydown", (event) => this._key(event));
    new ResizeObserver(() => this._schedule()).observe(this._list);
    entries.listeners.add((id) => {
      if (id === this._run?.id) this._schedule();
    });
    this._select = document.getElementById("run");
    this._select.addEventListener("change", () => onChoose(this._select.value || null));
  }

  /** Show a run; null shows none. */
  show(id) {
    if (this._run && this._run.id === id && this._entries.runs.get(id) === this._run) return;
    this._run = id ? this._entries.run(id) : null;
    this._entries.pinned = id;
    this._open = this._focused = null;
    this._clear();
    this._following = true;
    this._schedule();
  }

  /** The choice of runs: `[{id, label}]`, newest first. `chosen` null follows the newest. */
  choices(runs, chosen) {
    const options = [el("option", { value: "" }, "Newest run")];
    for (const { id, label } of runs) options.push(el("option", { value: id }, label));
    if (chosen && !runs.some(({ id }) => id === chosen)) options.push(el("option", { value: chosen }, `Run ${chosen.slice(0, 8)}`));
    const texts = options.map((option) => option.textContent + option.value).join("\n");
    if (texts !== this._texts) {
      this._texts = texts;
      this._select.replaceChildren(...options);
    }
    this._select.value = chosen ?? "";
  }

  _schedule() {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      this._draw();
    });
  }

  _clear() {
    for (const row of this._rows.values()) row.remove();
    this._rows.clear();
    this._detail?.remove();
    this._detail = null;
  }

  _draw() {
    const list = this._run?.list ?? [];
    const { clientHeight } = this._list;
    if (!clientHeight) return;
    document.getElementById("no-entries").hidden = list.length > 0;
    const dropped = this._run?.dropped ?? 0;
    const count = `${list.length.toLocaleString("en")} ${list.length === 1 ? "entry" : "entries"}`;
    this._count.textContent = list.length ? (dropped ? `${count}; ${dropped.toLocaleString("en")} earlier ones are not kept` : count) : "";
    const openAt = this._open === null ? -1 : this._run.find(this._open);
    const extra = this._drawDetail(list, openAt);
    this._canvas.style.height = `${Math.min(list.length * ROW + extra, MAX_SCROLL)}px`;
    if (this._following) this._list.scrollTop = this._list.scrollHeight;
    const top = this._list.scrollTop;
    const shift = openAt >= 0 ? extra : 0;
    const first = Math.max(0, Math.floor((top - shift) / ROW) - SPARE);
    const last = Math.min(list.length, Math.ceil((top + clientHeight) / ROW) + SPARE);
    this._drawRows(list, first, last, openAt, extra);
  }

  _drawRows(list, first, last, openAt, extra) {
    const wanted = new Map();
    for (let index = first; index < last; index += 1) wanted.set(list[index].seq, index);
    if (this._focused !== null && !wanted.has(this._focused)) {
      const index = this._run.find(this._focused);
      if (list[index]?.seq === this._focused) wanted.set(this._focused, index); // focus must not fall off the page
    }
    for (const [seq, row] of this._rows) {
      if (wanted.has(seq) && row.entry === list[wanted.get(seq)]) continue;
      row.remove();
      this._rows.delete(seq);
    }
    const stop = this._focused ?? list[first]?.seq;
    for (const [seq, index] of wanted) {
      const row = this._rows.get(seq) ?? this._makeRow(list[index]);
      row.style.transform = `translateY(${index * ROW + (openAt >= 0 && index > openAt ? extra : 0)}px)`;
      row.setAttribute("aria-posinset", String(index + 1));
      row.setAttribute("aria-setsize", String(list.length));
      row.firstChild.tabIndex = seq === stop ? 0 : -1;
      row.firstChild.setAttribute("aria-expanded", String(seq === this._open));
    }
  }

  _makeRow(entry) {
    let data = null;
    try {
      data = dataOf(entry);
    } catch {
      // shown as it came
    }
    const { name, brief, tone } = describe(entry.type, data);
    const offset = (entry.at - this._run.began) / 1e9;
    const label = entry.type === "event" ? cleanLine(data?.content_type ?? "event", 40) : cleanLine(entry.type, 40);
    const button = el(`button.entry.tone-${/^[a-z]+$/.test(tone) ? tone : "other"}`, {
      type: "button",
      onclick: () => this._toggle(entry.seq),
      onfocus: () => { this._focused = entry.seq; },
    },
    el("span.offset", {}, offset < 0.0005 ? "0" : `+${precise(offset)}`),
    el("span.type", {}, KINDS[label] ?? label),
    el("span.event-name", {}, cleanLine(name, 60)),
    el("span.brief", { dir: "auto" }, cleanLine(brief, 200)));
    const row = el("div.row", { role: "listitem" }, button);
    row.entry = entry;
    this._rows.set(entry.seq, row);
    this._canvas.append(row);
    return row;
  }

  /** Draw what the opened row holds; return its height. */
  _drawDetail(list, openAt) {
    const entry = list[openAt];
    if (!entry || entry.seq !== this._open) {
      this._detail?.remove();
      this._detail = null;
      return 0;
    }
    if (this._detail?.entry !== entry) {
      this._detail?.remove();
      this._detail = el("div.detail", { role: "group", "aria-label": `Entry ${entry.seq}` }, drawEntry(entry),
        iconButton("close", "Close the entry", () => this._toggle(entry.seq), "button.quiet.close"));
      this._detail.entry = entry;
      this._canvas.append(this._detail);
    }
    this._detail.style.transform = `translateY(${(openAt + 1) * ROW}px)`;
    return this._detail.offsetHeight;
  }

  _toggle(seq) {
    this._open = this._open === seq ? null : seq;
    this._focused = seq;
    this._following = false;
    this._draw();
    this._rows.get(seq)?.firstChild.focus({ preventScroll: true });
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this._list;
    this._following = this._open === null && scrollHeight - scrollTop - clientHeight < NEAR;
    this._schedule();
  }

  _key(event) {
    const list = this._run?.list ?? [];
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || !list.length || !event.target.matches?.(".entry, #entries")) return;
    event.preventDefault();
    const from = this._focused === null ? -1 : this._run.find(this._focused);
    const index = Math.max(0, Math.min(list.length - 1, from + step));
    this._focused = list[index].seq;
    this._following = false;
    const top = index * ROW;
    if (top < this._list.scrollTop) this._list.scrollTop = top;
    else if (top + ROW > this._list.scrollTop + this._list.clientHeight) this._list.scrollTop = top + ROW - this._list.clientHeight;
    this._draw();
    this._rows.get(this._focused)?.firstChild.focus({ preventScroll: true });
  }
}

/** What an entry holds: the frames of the inspection stream wrap it, those of the chat are it. */
function dataOf(entry) {
  const given = parseExact(entry.raw);
  if (entry.live !== "feed") return given;
  const { blob, base64, data } = given; // what is large or no JSON is told of, not sent
  return blob ? { blob } : base64 ? { base64 } : data;
}

function drawEntry(entry) {
  try {
    const value = dataOf(entry);
    const raw = entry.live === "feed" ? entry.raw : escapeHidden(entry.raw);
    return el("div.detail-body", {}, el("p.facts", {}, `Entry ${entry.seq} · ${cleanLine(entry.type, 60)}`), jsonTree(value, raw));
  } catch {
    return el("pre", { tabindex: "0" }, escapeHidden(entry.raw.slice(0, 20_000)));
  }
}

function precise(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 100 ? `${seconds.toFixed(2)} s` : duration(seconds);
}
