// Text from agents, models and files, made safe to show: the same rules as in terminals (sentient_cli/sanitize.py).
// Removed are control characters but newline and tab, whole escape sequences, bidirectional controls, zero-width and tag
// characters. Text only ever enters the page as text nodes; this keeps it from hiding anything there.

const MAX_SEQUENCE = 4096;
const CONTROLS = "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f";
const HIDDEN =
  "\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164" +
  "\\ufe00-\\ufe0d\\ufeff\\uffa0\\ufff0-\\ufffb\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
const SURROGATES = "\\ud800-\\udfff"; // with the flag u these are lone ones

const CHANGED = new RegExp(`[${CONTROLS}${HIDDEN}\\u2028\\u2029${SURROGATES}]`, "u");
const DROPPED = new RegExp(`[${CONTROLS}${HIDDEN}]`, "gu");
const LINE_SEPARATOR = /[\u2028\u2029]/g;
const LONE = new RegExp(`[${SURROGATES}]`, "gu");
const INTRODUCER = /[\u001b\u0090\u0098\u009b\u009d\u009e\u009f]/g;

// What may stand in each state, and what ends it; the pictures are those of ECMA-48.
const STATES = {
  escape: { body: /^$/, final: /[\u0030-\u007e]/ },
  intermediate: { body: /[\u0020-\u002f]/, final: /[\u0030-\u007e]/ },
  control: { body: /[\u0020-\u003f]/, final: /[\u0040-\u007e]/ },
  string: { body: /[^\u0007\u0018\u001a\u001b\u0080-\u009f]/, final: /[\u0007\u0018\u001a\u009c]/ },
};

function afterEscape(char) {
  if (char === "[") return "control";
  if ("]PX^_".includes(char)) return "string";
  return char >= " " && char <= "/" ? "intermediate" : null;
}

function cleanPlain(text) {
  if (!CHANGED.test(text)) return text;
  return text.replace(DROPPED, "").replace(LINE_SEPARATOR, "\n").replace(LONE, "\ufffd");
}

/** Cleans a stream of text, however it was cut into pieces. */
export class Cleaner {
  #state = null;
  #length = 0;
  #high = ""; // the first half of a character that was cut in two

  /** What of a piece may be shown. */
  feed(piece) {
    let text = this.#high + piece;
    this.#high = "";
    const last = text.charCodeAt(text.length - 1);
    if (last >= 0xd800 && last <= 0xdbff) {
      this.#high = text.slice(-1);
      text = text.slice(0, -1);
    }
    if (this.#state === null && !CHANGED.test(text)) return text;
    const shown = [];
    let position = 0;
    while (position < text.length) {
      position = this.#state === null ? this.#copy(text, position, shown) : this.#drop(text, position);
    }
    return shown.join("");
  }

  #enter(state) {
    this.#state = state;
    this.#length = 0;
  }

  #copy(text, start, shown) {
    INTRODUCER.lastIndex = start;
    const found = INTRODUCER.exec(text);
    const end = found ? found.index : text.length;
    shown.push(cleanPlain(text.slice(start, end)));
    if (!found) return end;
    this.#enter(found[0] === "\u001b" ? "escape" : found[0] === "\u009b" ? "control" : "string");
    return end + 1;
  }

  #drop(text, start) {
    const next = this.#state === "escape" ? afterEscape(text[start]) : null;
    if (next !== null) {
      this.#enter(next);
      return start + 1;
    }
    const { body, final } = STATES[this.#state];
    const limit = start + MAX_SEQUENCE - this.#length;
    let end = start;
    while (end < text.length && end < limit && body.test(text[end])) end += 1;
    this.#length += end - start;
    if (end === text.length && end < limit) return end;
    // A character that cannot stand here ends the sequence too, and is looked at again as text.
    const ends = end < limit && final.test(text[end]);
    this.#enter(null);
    return ends ? end + 1 : end;
  }
}

/** A whole text, safe to show. */
export function clean(text) {
  const given = String(text);
  if (!CHANGED.test(given)) return given;
  const cleaner = new Cleaner();
  return cleaner.feed(given) + cleaner.feed(" ").slice(0, -1);
}

/** A whole text, safe to show in one line. */
export function cleanLine(text, limit = 300) {
  const given = String(text);
  const line = clean(given.slice(0, limit * 4)).replace(/\s+/g, " ").trim();
  return line.length > limit || given.length > limit * 4 ? `${line.slice(0, limit - 1)}…` : line;
}

const UNSHOWN = new RegExp(`[\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u00a0${HIDDEN}\\u2000-\\u200a\\u2028\\u2029\\u3000${SURROGATES}]`, "gu");

function escaped(char) {
  let out = "";
  for (let i = 0; i < char.length; i += 1) out += `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return out;
}

/** JSON text that shows what it holds: what cannot be seen stands as an escape. */
export function escapeHidden(text) {
  return text.replace(UNSHOWN, escaped);
}
