// The conversation: the transcript of the chosen session, and the field to ask in.

import { cleanLine } from "./clean.js";
import { announce, el, icon } from "./dom.js";
import { Turn } from "./turn.js";

const RESTORED = 20; // so many turns of a session are shown at once
const KEPT = 8; // so many transcripts stay built
const NEAR = 80; // pixels from the end that still follow it

/** `hooks`: see `Turn`, and `onChange()`. */
export class Chat {
  constructor(sessions, ulids, hooks) {
    this.session = null;
    this._sessions = sessions;
    this._ulids = ulids;
    this._hooks = hooks;
    this._transcripts = new Map();
    this._following = true;
    this._scroller = document.getElementById("conversation");
    this._input = document.getElementById("prompt");
    this._button = document.getElementById("send");
    this._jump = document.getElementById("jump");
    this._listen();
  }

  get transcript() {
    return this._transcripts.get(this.session?.id);
  }

  /** The turns of a session that are going on. */
  running(session = this.session) {
    return (this._transcripts.get(session?.id)?.turns ?? []).filter((turn) => turn.running);
  }

  anyRunning() {
    return [...this._transcripts.values()].some(({ turns }) => turns.some((turn) => turn.running));
  }

  show(session) {
    if (this.transcript) this.transcript.top = this._following ? null : this._scroller.scrollTop;
    this._keepDraft();
    this.session = session;
    const transcript = this._transcripts.get(session.id) ?? this._build(session);
    this._transcripts.delete(session.id);
    this._transcripts.set(session.id, transcript);
    this._forget();
    document.getElementById("turns").replaceChildren(transcript.element);
    this._drawEmpty();
    this._input.value = transcript.draft ?? "";
    this._grow();
    this._following = transcript.top === undefined || transcript.top === null;
    this._scroller.scrollTop = this._following ? this._scroller.scrollHeight : transcript.top;
    this._drawButton();
  }

  forget(session) {
    for (const turn of this._transcripts.get(session.id)?.turns ?? []) turn.release();
    this._transcripts.delete(session.id);
  }

  focus() {
    this._input.focus();
  }

  send(prompt) {
    const text = prompt.trim();
    if (!text || !this.session) return;
    if (this.running().length) {
      announce("The agent still answers. Stop it first, or wait.");
      return;
    }
    const turn = this._turn(this.session, this._sessions.addTurn(this.session, prompt));
    this.transcript.turns.push(turn);
    this.transcript.element.append(turn.element);
    this._following = true;
    turn.ask();
    this._drawEmpty();
    this._follow();
  }

  stop() {
    const running = this.running();
    for (const turn of running) turn.stop();
    return running.length > 0;
  }

  _turn(session, record) {
    return new Turn(record, {
      session,
      ulids: this._ulids,
      onChange: (turn) => {
        this._sessions.save(session);
        this._drawButton();
        this._hooks.onChange(turn, session);
      },
      onFrames: this._hooks.onFrames,
      onAnswer: this._hooks.onAnswer,
      onRetry: (prompt) => this.send(prompt),
      onEvents: this._hooks.onEvents,
      whyLost: this._hooks.whyLost,
    });
  }

  _build(session) {
    const element = el("div.transcript");
    const transcript = { element, turns: [], draft: "", top: null };
    const first = Math.max(0, session.turns.length - RESTORED);
    const older = session.turns.slice(0, first);
    const turns = session.turns.slice(first).map((record) => this._turn(session, record));
    transcript.turns.push(...turns);
    element.append(...turns.map((turn) => turn.element));
    if (older.length) {
      element.prepend(el("button.plain.earlier", { type: "button", onclick: (event) => {
        event.target.remove();
        const before = older.map((record) => this._turn(session, record));
        transcript.turns.unshift(...before);
        element.prepend(...before.map((turn) => turn.element));
        restore(before);
      } }, `Show ${older.length} earlier question${older.length === 1 ? "" : "s"}`));
    }
    restore(turns);
    return transcript;
  }

  _forget() {
    for (const [id, { turns }] of this._transcripts) {
      if (this._transcripts.size <= KEPT) return;
      if (id !== this.session.id && !turns.some((turn) => turn.running)) this._transcripts.delete(id);
    }
  }

  _keepDraft() {
    if (this.transcript) this.transcript.draft = this._input.value;
  }

  _drawEmpty() {
    document.getElementById("welcome").hidden = this.session.turns.length > 0;
  }

  _drawButton() {
    const running = this.running();
    const label = running.length ? "Stop" : "Send";
    this._button.replaceChildren(icon(running.length ? "stop" : "send"));
    this._button.setAttribute("aria-label", label);
    this._button.title = running.length ? "Stop (Esc)" : "Send (Enter)";
    this._button.classList.toggle("stop", running.length > 0);
    this._button.disabled = !running.length && !this._input.value.trim();
  }

  _submit() {
    if (this.running().length) {
      announce("The agent still answers. Stop it first, or wait.");
      return;
    }
    const text = this._input.value;
    if (!text.trim()) return;
    this._input.value = "";
    this._grow();
    this.send(text);
  }

  _listen() {
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.running().length) this.stop();
      else this._submit();
      this._input.focus();
    });
    this._input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this._submit();
      } else if (event.key === "ArrowUp" && !this._input.value && this.session.turns.length) {
        event.preventDefault();
        this._input.value = this.session.turns[this.session.turns.length - 1].prompt;
        this._grow();
      }
    });
    this._input.addEventListener("input", () => this._grow());
    this._scroller.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this._jump.addEventListener("click", () => {
      this._following = true;
      this._follow();
      this._jump.hidden = true;
    });
    new ResizeObserver(() => this._follow()).observe(document.getElementById("turns"));
    for (const button of document.querySelectorAll("#welcome [data-ask]")) {
      button.addEventListener("click", () => this.send(button.dataset.ask));
    }
  }

  _grow() {
    this._input.style.height = "auto";
    this._input.style.height = `${Math.min(this._input.scrollHeight, innerHeight * 0.4)}px`;
    this._drawButton();
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this._scroller;
    const near = scrollHeight - scrollTop - clientHeight < NEAR;
    if (near || scrollTop < (this._lastTop ?? 0)) this._following = near; // only the reader's own way up lets go of the end
    this._lastTop = scrollTop;
    this._jump.hidden = near;
  }

  _follow() {
    if (this._following) this._scroller.scrollTop = this._scroller.scrollHeight;
  }
}

/** One after the other, the newest first: each takes one of the few connections that a browser opens to a server. */
async function restore(turns) {
  for (const turn of [...turns].reverse()) {
    const ended = turn.restore();
    if (turn.record.outcome !== "running") await ended;
  }
}

/** The name of a session as it is shown. */
export function sessionName(session) {
  return cleanLine(session.title, 80) || "New session";
}
