// One turn: a question, its answer as it comes, and how it ended.

import { AnswerView } from "./answer.js";
import { clean, cleanLine } from "./clean.js";
import { announce, copyButton, duration, el, iconButton } from "./dom.js";
import { ulidTime } from "./ulid.js";
import { AnswerStream, requestBody } from "./wire.js";

const LONG_PROMPT = 1200;
const SPOKEN = 600;
const HOUR = 3600;

export class Turn {
  /** `context` has `session`, `ulids`, `onChange(turn)`, `onFrames(run, frames, began)`, `onAnswer(response)`, `onRetry(prompt)`, `onEvents(run)`, `whyLost(record)`. */
  constructor(record, context) {
    this.record = record;
    this.running = false;
    this.loaded = false;
    this._context = context;
    this._stream = null;
    this._began = 0;
    this.view = new AnswerView();
    this._status = el("span.status");
    this._foot = el("footer.turn-foot");
    this.element = el("article.turn", { "aria-label": `You asked: ${cleanLine(record.prompt, 80)}` },
      question(record.prompt), this.view.element, this._foot);
  }

  get stopping() {
    return this._stream?.stopping ?? false;
  }

  /** Ask, and show what comes. */
  async ask() {
    const { session, ulids } = this._context;
    await this._follow((stream) => stream.ask(requestBody(this.record.prompt, session.id, ulids)));
  }

  /** Show a turn of earlier: what the server has of it, and what still comes. */
  async restore() {
    if (this.loaded || this.running) return;
    if (!this.record.run) {
      this.loaded = true;
      this._end(this.record.outcome === "refused" ? "refused" : "lost", { detail: "This question was not answered." }, true);
      return;
    }
    await this._follow((stream) => stream.watch(this.record.run), true);
  }

  stop() {
    this._stream?.stop();
  }

  release() {
    this._stream?.release();
  }

  async _follow(start, restored = false) {
    this.running = true;
    this.loaded = true;
    this._began = performance.now();
    this.element.classList.add("running");
    this._drawRunning(restored ? "Loading" : "Waiting for the agent");
    this._context.onChange(this);
    this._stream = new AnswerStream({
      run: (run) => this._named(run),
      frames: (frames) => this._take(frames, restored),
      status: (text) => this._drawRunning(text || "Answering"),
      answer: (response) => this._context.onAnswer(response),
    });
    const { outcome, problem } = await start(this._stream);
    const why = outcome === "lost" && problem && !this.stopping ? await this._context.whyLost(this.record) : null;
    this.running = false;
    this.element.classList.remove("running");
    this._end(outcome, why ? { ...problem, detail: why } : problem, restored);
    this._context.onChange(this);
  }

  _named(run) {
    this.record.run = run;
    this._context.onChange(this);
  }

  _take(frames, restored) {
    if (this.view.events === 0 && !this.stopping) this._drawRunning("Answering");
    const now = (performance.now() - this._began) / 1000;
    for (const frame of frames) {
      const event = this.view.add(frame, restored ? null : now, this.stopping || this.record.outcome === "stopped");
      if (restored) this._restoreTime(event);
    }
    this._context.onFrames(this._stream.run, frames);
  }

  _restoreTime(event) {
    const at = ulidTime(event.id);
    const seconds = at === null ? -1 : (at - this.record.at) / 1000;
    if (seconds >= 0 && seconds < HOUR) this._seconds = seconds;
  }

  _end(outcome, problem, restored = false) {
    this.view.end();
    let known = outcome === "done" && this.view.failed ? "failed" : outcome;
    if (outcome === "stopped" || this.stopping || (restored && outcome === "done" && this.record.outcome === "stopped")) known = "stopped";
    const seconds = restored ? this._seconds : (performance.now() - this._began) / 1000;
    if (!restored || known !== "gone") this.record.outcome = known;
    this._drawEnd(known, problem, seconds);
    if (!restored) this._say(known, problem);
  }

  _drawRunning(text) {
    this._status.textContent = text;
    this._foot.replaceChildren(el("span.beat", { "aria-hidden": "true" }), this._status);
  }

  _drawEnd(outcome, problem, seconds) {
    const { record } = this;
    const parts = [ENDS[outcome] ?? "Ended"];
    if (seconds > 0) parts.push(duration(seconds));
    if (this.view.events) parts.push(`${this.view.events.toLocaleString("en")} event${this.view.events === 1 ? "" : "s"}`);
    const facts = el("span.status", {}, parts.join(" · "));
    const tools = el("span.tools", {},
      this.view.events ? copyButton("Copy the answer", () => this.view.text()) : null,
      iconButton("retry", "Ask this again", () => this._context.onRetry(record.prompt)),
      record.run ? iconButton("pulse", "Show the events of this answer", () => this._context.onEvents(record.run)) : null);
    this._foot.replaceChildren(facts, tools);
    this._foot.dataset.outcome = outcome;
    if (problem) this.view.element.append(problemBox(outcome, problem, () => this._context.onRetry(record.prompt)));
  }

  _say(outcome, problem) {
    if (outcome === "done") announce(`Answer: ${cleanLine(this.view.text(), SPOKEN)}`);
    else announce(problem ? clean(problem.detail) : outcome === "stopped" ? "Stopped" : `The agent failed. ${cleanLine(this.view.text(), SPOKEN)}`);
  }
}

const ENDS = {
  done: "Done",
  failed: "Failed",
  stopped: "Stopped",
  refused: "Not accepted",
  lost: "Broken off",
  gone: "No longer kept",
};

function problemBox(outcome, problem, retry) {
  const text = outcome === "gone" ? "The server does not keep this answer any more." : clean(problem.detail);
  return el("div.problem", {}, el("p", { dir: "auto" }, text), outcome === "gone" ? null :
    el("button.plain", { type: "button", onclick: retry }, "Ask again"));
}

function question(prompt) {
  const text = el("div.prompt", { dir: "auto" }, clean(prompt));
  const box = el("div.question", {}, el("h2.unseen", {}, "You"), text);
  if (prompt.length > LONG_PROMPT) {
    text.classList.add("clipped");
    const more = el("button.more", { type: "button", "aria-expanded": "false", onclick: () => {
      const open = text.classList.toggle("clipped") === false;
      more.textContent = open ? "Show less" : "Show all";
      more.setAttribute("aria-expanded", String(open));
    } }, "Show all");
    box.append(more);
  }
  return box;
}
