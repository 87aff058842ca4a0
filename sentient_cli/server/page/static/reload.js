// What `sentient dev` says of the agent's code: which generation answers, and why the newest does not.

import { clean, cleanLine } from "./clean.js";
import { announce, duration, el, iconButton } from "./dom.js";

const TOAST = 3200;

/** Shows the state of generations: a badge always, a toast after a reload, an overlay while the code is broken. */
export class Reload {
  /** `onChange()` after each change, `mayExplain()` whether the details can be had. */
  constructor({ onChange, mayExplain }) {
    this.broken = null; // the number of the generation that is broken
    this._onChange = onChange;
    this._mayExplain = mayExplain;
    this._state = null;
    this._since = null;
    this._news = 0;
    this._away = false; // whether `sentient dev` does not answer
    this._badge = document.getElementById("badge");
    this._overlay = document.getElementById("broken");
    this._badge.addEventListener("click", () => this._open(true));
  }

  /** A state of the hub's; `isReload` when it has just come to be. */
  take(state, isReload) {
    const before = this._state;
    const news = newestOf(state);
    // The stream begins with what was, before this page was opened.
    if (isReload && before && news < this._news) return;
    const again = isReload && before && news === this._news && before.status === state.status;
    this._news = news;
    this._state = state;
    if (state.status === "loading" && this._since === null) this._since = performance.now();
    const error = state.status === "broken" ? (state.error ?? {}) : null;
    const wasBroken = this.broken !== null;
    this.broken = error ? (error.generation ?? state.generation ?? 0) : null;
    if (error && !again && (isReload || !wasBroken)) this._show(error, state);
    if (!error && state.status === "ready") {
      this._hide();
      if (isReload && !again) this._reloaded(state, wasBroken);
    }
    if (state.status !== "loading") this._since = null;
    this._draw();
  }

  /** Nobody tells of it any more: what was last known may be long over. */
  forget() {
    this._state = this._since = this.broken = null;
    this._news = 0;
    this._away = false;
    this._hide();
    this._draw();
  }

  /** Whether the inspection stream is lost: what is shown may be long over. */
  away(isAway) {
    if (isAway === this._away) return;
    this._away = isAway;
    this._draw();
    if (isAway) announce("The connection to sentient dev is lost");
  }

  /** What an answer's header says: the number of a broken generation, or null. */
  header(generation) {
    if (this._state && this._mayExplain()) return; // who is told directly needs no hints
    this.broken = generation;
    if (generation === null) this._hide();
    this._draw();
  }

  /** Close the overlay; return whether it was open. */
  dismiss() {
    if (this._overlay.hidden) return false;
    const had = this._overlay.contains(document.activeElement);
    this._overlay.hidden = true;
    if (had) this._badge.focus();
    return true;
  }

  _reloaded(state, mended) {
    const seconds = Number.isFinite(state.seconds) ? state.seconds : this._since === null ? NaN : (performance.now() - this._since) / 1000;
    const time = duration(seconds);
    toast(`${mended ? "Mended and reloaded" : "Reloaded"}${time ? ` in ${time}` : ""}`);
  }

  _draw() {
    const { _state: state, _badge: badge } = this;
    const status = this._away ? "away" : this.broken !== null ? "broken" : (state?.status ?? "");
    badge.hidden = status === "";
    badge.dataset.status = status;
    const serving = state?.generation;
    const text = { away: "Not connected", broken: "Broken", loading: "Loading", ready: serving ? `${serving}` : "" }[status] ?? cleanLine(status, 20);
    badge.lastElementChild.replaceChildren(status === "ready" ? el("span.word", {}, "Generation ") : "", text);
    const said = status === "broken" ? `Generation ${this.broken} could not be loaded. Show why` : status === "ready" ? `Generation ${text} of the code answers` : text;
    badge.setAttribute("aria-label", said);
    badge.title = said;
    badge.disabled = status !== "broken";
    this._onChange();
  }

  _open() {
    if (this.broken === null) return;
    if (this._state?.error) this._show(this._state.error, this._state);
    else this._show({ what: "The newest code could not be loaded", why: this._mayExplain() ? "" : "This page was opened without the inspection token, so it is not told why.", fix: "The terminal of sentient dev says why. To see it here, open the address with “#token=” that it printed at its start." }, {});
    this._overlay.querySelector("button").focus();
  }

  _hide() {
    this.dismiss();
    this._overlay.replaceChildren();
  }

  _show(error, state) {
    const generation = error.generation ?? this.broken;
    const serving = Number.isInteger(state.generation) && state.generation !== generation ? state.generation : null;
    const title = `Generation ${generation ?? ""} does not load`;
    const goesOn = !state.status ? "The last good code goes on answering." : serving ? `Generation ${serving} goes on answering.` : "Nothing answers until this is mended.";
    const close = iconButton("close", "Close", () => this.dismiss(), "button.quiet.close");
    this._overlay.replaceChildren(
      el("div.broken-card", {},
        el("header", {}, el("h2", { id: "broken-title" }, title), close),
        el("p.goes-on", {}, `${goesOn} The next good save clears this.`),
        el("p.what", { dir: "auto" }, clean(error.what ?? "")),
        error.why ? el("p.why", { dir: "auto" }, clean(error.why)) : null,
        error.file ? place(error) : null,
        error.excerpt ? excerpt(error.excerpt, error.line) : null,
        error.fix ? el("p.fix", { dir: "auto" }, el("strong", {}, "To do: "), clean(error.fix)) : null,
        error.detail ? el("details.frames", {}, el("summary", {}, "Where it came from"), el("pre", { tabindex: "0" }, clean(error.detail).slice(0, 20_000))) : null));
    this._overlay.hidden = false;
    announce(`${title}. ${cleanLine(error.what ?? "", 300)}. ${goesOn}`, true);
  }
}

/** The number of the newest generation that a state knows of. */
function newestOf({ generation, error }) {
  return Math.max(Number(generation) || 0, Number(error?.generation) || 0);
}

function place(error) {
  const line = Number.isInteger(error.line) ? `:${error.line}` : "";
  return el("p.place", {}, el("code", { dir: "ltr" }, `${cleanLine(error.file, 500)}${line}`));
}

function excerpt(text, failing) {
  const pre = el("pre.excerpt", { tabindex: "0", role: "region", "aria-label": "The failing line", dir: "ltr" });
  for (const line of clean(text).slice(0, 20_000).split("\n").slice(0, 60)) {
    const found = /^(\s*>?\s*)(\d+)(\s*\|? ?)(.*)$/.exec(line);
    const marked = found ? Number(found[2]) === failing || found[1].includes(">") : false;
    const number = found ? el("span.line-number", {}, found[2]) : null;
    pre.append(el(marked ? "span.line.failing" : "span.line", {}, number, el("span.line-text", {}, found ? found[4] : line), "\n"));
  }
  return pre;
}

/** Say something for a moment; `action` is `{label, run}`. */
export function toast(text, action = null, milliseconds = TOAST) {
  const box = document.getElementById("toasts");
  const node = el("div.toast", {}, el("span", { dir: "auto" }, text));
  const end = () => node.remove();
  if (action) node.append(el("button.plain", { type: "button", onclick: () => {
    end();
    action.run();
  } }, action.label));
  box.append(node);
  while (box.childElementCount > 3) box.firstChild.remove();
  announce(text);
  let timer = setTimeout(end, milliseconds);
  node.addEventListener("pointerenter", () => clearTimeout(timer));
  node.addEventListener("focusin", () => clearTimeout(timer));
  node.addEventListener("pointerleave", () => { timer = setTimeout(end, milliseconds); });
}
