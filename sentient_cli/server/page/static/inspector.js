// Which runs there are, which of them is looked at, and where what is known of it comes from.

import { cleanLine } from "./clean.js";
import { el } from "./dom.js";
import { Entries } from "./entries.js";
import { EventsPanel } from "./panel.js";
import { ulidTime } from "./ulid.js";
import { AnswerStream } from "./wire.js";

const MAX_RUNS = 200;
const TIME = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }); // slow to make
const ADDRESS = "http://…/#token=…";

export class Inspector {
  constructor({ drawers }) {
    this._drawers = drawers;
    this._entries = new Entries();
    this._known = new Map(); // of each run: prompt, at (ms), outcome, session
    this._chosen = null;
    this._loading = null;
    this._drawing = 0;
    this._panel = new EventsPanel(this._entries, (run) => this._choose(run));
    this._entries.listeners.add((_id, isNew) => { if (isNew) this._schedule(); });
    this._schedule();
  }

  /** Show a run. */
  open(run) {
    this._drawers.openEvents();
    this._choose(run);
  }

  /** The chosen session's runs can be chosen, also those of long ago. */
  session(session) {
    for (const turn of session.turns) if (turn.run) this._note(turn.run, { prompt: turn.prompt, at: turn.at, outcome: turn.outcome, session: session.id });
    this._chosen = null;
    this._ofSession = session;
    this._schedule();
  }

  /** A turn of the chat has changed. */
  turn(turn, session) {
    const { run, prompt, at, outcome } = turn.record;
    if (run) this._note(run, { prompt, at, outcome, session: session.id });
    this._schedule();
  }

  /** What the hub knows of earlier runs. */
  runs(runs) {
    if (!Array.isArray(runs)) return;
    for (const run of runs.slice(0, MAX_RUNS).reverse()) {
      if (typeof run?.run !== "string") continue;
      this._note(run.run, { prompt: String(run.prompt ?? ""), at: milliseconds(run.started_at), outcome: run.outcome, session: run.session });
    }
    this._schedule();
  }

  /** Events that an answer in the chat has brought. */
  frames(run, frames) {
    if (!run) return;
    this._entries.add(run, frames.filter((frame) => /^\d+$/.test(frame.id)).map(fromChat));
  }

  /** Entries of the inspection stream. */
  entries(run, entries) {
    if (!this._known.has(run)) this._note(run, { at: entries[0].at / 1e6 });
    for (const { type, at, data } of entries) {
      if (type === "run.started") this._note(run, { at: at / 1e6, outcome: "running", ...data });
      if (type === "run.finished") this._note(run, { outcome: data.outcome });
    }
    this._entries.add(run, entries);
    this._schedule();
  }

  /** Where the inspection stream stands; `none`: there is no token. */
  status(status) {
    const hint = document.getElementById("feed-hint");
    hint.dataset.status = status;
    hint.hidden = status === "live" || status === "connecting";
    const text = HINTS[status] ?? [];
    hint.replaceChildren(...text.map((part) => (part === ADDRESS ? el("code", {}, part) : part)));
  }

  _note(run, facts) {
    const known = this._known.get(run) ?? {};
    const given = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== ""));
    if (known.outcome && known.outcome !== "running" && given.outcome === "running") delete given.outcome;
    this._known.set(run, { at: Date.now(), ...known, ...given });
    if (this._known.size > 2 * MAX_RUNS) this._known.delete(this._known.keys().next().value);
  }

  _choose(run) {
    this._chosen = run;
    this._draw();
  }

  _schedule() {
    this._drawing ||= setTimeout(() => {
      this._drawing = 0;
      this._draw();
    }, 60);
  }

  _draw() {
    const runs = [...this._known].sort(([, a], [, b]) => b.at - a.at).slice(0, MAX_RUNS);
    this._panel.choices(runs.map(([id, known]) => ({ id, label: labelOf(known) })), this._chosen);
    const shown = this._chosen ?? this._newest(runs);
    this._panel.show(shown);
    if (shown && !this._entries.runs.get(shown)?.list.length) this._load(shown);
  }

  /** The newest run of all; of the chosen session while it has one. */
  _newest(runs) {
    const turns = this._ofSession?.turns ?? [];
    const last = turns.findLast((turn) => turn.run)?.run;
    const [newest] = runs;
    if (!newest) return last ?? null;
    return last && this._known.get(last)?.at >= newest[1].at ? last : this._entries.runs.has(newest[0]) ? newest[0] : (last ?? newest[0]);
  }

  /** A run that nothing is known of any more: its events are on the server. */
  _load(run) {
    if (this._loading === run) return;
    this._loading = run;
    const ignore = () => {};
    new AnswerStream({ run: ignore, status: ignore, answer: ignore, frames: (frames) => this.frames(run, frames) }).watch(run);
  }
}

const HINTS = {
  none: ["Only what the answers bring is listed. Model calls, logs, runs of other clients and reload errors need the address that sentient dev printed at its start: ", ADDRESS],
  denied: ["The token is not valid any more. Open the address that sentient dev printed at its last start: ", ADDRESS],
  absent: ["This server has no inspection: only what the answers bring is listed."],
  lost: ["The connection to sentient dev is lost. It is made again as soon as it can be."],
};

function fromChat(frame) {
  const id = /"id":"([0-9A-Z]{26})"/.exec(frame.data.slice(0, 600));
  return { seq: Number(frame.id), at: (ulidTime(id?.[1]) ?? Date.now()) * 1e6, type: "event", raw: frame.data, live: "chat" };
}

function labelOf({ prompt, at, outcome }) {
  const time = TIME.format(at);
  const end = outcome && outcome !== "done" ? ` (${cleanLine(outcome, 20)})` : "";
  return `${time}  ${cleanLine(prompt || "…", 50)}${end}`;
}

function milliseconds(value) {
  if (typeof value === "number") return value > 1e15 ? value / 1e6 : value > 1e11 ? value : value * 1000;
  const parsed = Date.parse(value ?? "");
  return Number.isNaN(parsed) ? undefined : parsed;
}
