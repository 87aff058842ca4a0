// What is known of each run's log, within bounds. The inspection stream and the chat both add to it.

const MAX_PER_RUN = 20_000;
const MAX_ENTRIES = 60_000;
const MAX_CHARACTERS = 48_000_000;

/** The entries of one run, by their numbers. */
export class RunEntries {
  constructor(id) {
    this.id = id;
    this.list = [];
    this.dropped = 0;
    this.size = 0;
    this.began = null; // of the first entry, in nanoseconds
    this.finished = false;
    this.whole = false; // whether more than the events is known
  }

  /** Take in an entry `{seq, at, type, raw, live}`; one with a number that is there already is the same one. */
  add(entry) {
    const { list } = this;
    const last = list[list.length - 1];
    if (!last || entry.seq > last.seq) {
      list.push(entry);
    } else {
      const index = this.find(entry.seq);
      if (list[index]?.seq === entry.seq) {
        if (list[index].live === "feed" || entry.live !== "feed" || entry.blob) return false;
        this.size -= list[index].raw.length;
        list[index] = entry; // the server's clock and words are better than what the chat made of them
      } else {
        if (this.dropped && index === 0) return false;
        list.splice(index, 0, entry);
      }
    }
    this.size += entry.raw.length;
    this.began = this.dropped ? this.began : list[0].at;
    this.finished ||= entry.type === "run.finished";
    this.whole ||= entry.live === "feed";
    if (list.length > MAX_PER_RUN + 1000) this._drop(list.length - MAX_PER_RUN);
    return true;
  }

  /** The index of a number, or where it would stand. */
  find(seq) {
    let [low, high] = [0, this.list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  _drop(count) {
    for (const entry of this.list.splice(0, count)) this.size -= entry.raw.length;
    this.dropped += count;
  }
}

/** The runs that entries are known of; those that were not added to for longest make room. */
export class Entries {
  constructor() {
    this.runs = new Map();
    this.count = 0;
    this.size = 0;
    this.listeners = new Set();
    this.pinned = null; // the run that is looked at
  }

  run(id) {
    let run = this.runs.get(id);
    if (!run) {
      run = new RunEntries(id);
      this.runs.set(id, run);
    }
    return run;
  }

  add(id, entries) {
    const known = this.runs.has(id);
    const run = this.run(id);
    this._weigh(run, -1);
    for (const entry of entries) run.add(entry);
    this._weigh(run, 1);
    this.runs.delete(id);
    this.runs.set(id, run);
    this._trim();
    for (const listener of this.listeners) listener(id, !known);
  }

  _trim() {
    for (const [id, run] of this.runs) {
      if (this.count <= MAX_ENTRIES && this.size <= MAX_CHARACTERS) return;
      if (id === this.pinned || this.runs.size === 1) continue;
      this._weigh(run, -1);
      this.runs.delete(id);
    }
  }

  _weigh(run, sign) {
    this.count += sign * run.list.length;
    this.size += sign * run.size;
  }
}

/** What to show of an entry in one line: `{name, brief, tone}`. */
export function describe(type, data) {
  if (type !== "event") return { name: "", brief: briefly(type, data), tone: toneOf(type, data) };
  const name = String(data?.event_name ?? "");
  switch (data?.content_type) {
    case "chunked.text":
      return { name, brief: data.is_complete ? "(end of the text)" : visible(String(data.content)), tone: "chunk" };
    case "atomic.textblock":
      return { name, brief: String(data.content), tone: "text" };
    case "atomic.json":
      return { name, brief: compact(data.content), tone: "json" };
    case "atomic.error":
      return { name, brief: `${data.content?.error_code ?? 500} ${data.content?.error_message ?? ""}`, tone: "error" };
    default:
      return { name, brief: "", tone: "end" };
  }
}

/** A piece of text with its line ends; one of blanks only shows them. */
function visible(text) {
  const lines = text.slice(0, 400).replaceAll("\n", "⏎");
  return text.trim() ? lines : lines.replaceAll(" ", "␣");
}

function toneOf(type, data) {
  if (type === "run.finished") return data?.outcome === "done" ? "end" : "error";
  if (type === "log") return /^(error|critical)$/i.test(data?.level ?? "") ? "error" : "log";
  return type.split(".")[0];
}

const TELLING = ["outcome", "model", "name", "message", "text", "error", "method", "url", "level", "prompt", "tokens", "usage", "arguments", "result"];

function briefly(type, data) {
  if (data === null || typeof data !== "object") return compact(data);
  const parts = TELLING.filter((field) => data[field] !== undefined && data[field] !== null)
    .slice(0, 4)
    .map((field) => (typeof data[field] === "string" ? data[field] : compact(data[field])));
  return parts.length ? parts.join(" · ") : compact(data);
}

function compact(value) {
  try {
    return (JSON.stringify(value) ?? "").slice(0, 400);
  } catch {
    return "…";
  }
}
