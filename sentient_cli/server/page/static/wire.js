// Asking the agent: one answer over as many connections as it takes, no event lost and none repeated.

import { readFrames } from "./sse.js";
import { withToken } from "./token.js";

const TRIES = 6;
const BACKOFF = [250, 500, 1000, 2000, 3000, 3000];
const GIVE_UP_AFTER_STOP = 5000;
const RUN_ID = /^[A-Za-z0-9_-]{1,128}$/;
const PASSING = new Set([429, 500, 502, 503, 504]);
const PROCESSOR = "sentient-dev-page";

/** The body of a question. The server keeps what was said before: no interactions are sent. */
export function requestBody(prompt, session, ulids) {
  const query = ulids.next();
  return {
    query: { id: query, prompt: prompt.toWellFormed?.() ?? prompt },
    session: { processor_id: PROCESSOR, activity_id: session, request_id: ulids.next(), interactions: [] },
  };
}

// An agent may call an event of its own "done".
const isDone = (frame) => frame.event === "done" && /^\{"content_type": ?"atomic\.done"/.test(frame.data);

/** What the server said when it refused, in words. */
export async function refusal(response) {
  let detail = "";
  let body = {};
  try {
    body = JSON.parse((await response.text()).slice(0, 100_000));
    detail = typeof body.detail === "string" ? body.detail : (body.detail?.[0]?.msg ?? "");
  } catch {
    // no JSON: the status has to do
  }
  return { status: response.status, code: body.code ?? "", detail: detail || `The server answered ${response.status}`, body };
}

/** One answer, as it comes.
 *
 * `listener` has `run(id)`, `frames(frames)`, `status(text)`, and `answer(response)` for each response. The promise of
 * `ask` and `watch` gives `{outcome, problem}`: outcome is `done`, `refused`, `lost` (the connection broke and the answer
 * cannot be resumed), `gone` (the server does not have the run any more) or `stopped`.
 */
export class AnswerStream {
  constructor(listener) {
    this.run = null;
    this.stopping = false;
    this._listener = listener;
    this._abort = new AbortController();
    this._last = "";
    this._sawDone = false;
    this._progress = false;
  }

  async ask(body) {
    let response;
    try {
      response = await fetch("/assist", {
        method: "POST",
        headers: withToken({ "Content-Type": "application/json" }),
        body: JSON.stringify(body),
        cache: "no-store",
        signal: this._abort.signal,
      });
    } catch {
      return this._broken({ status: 0, detail: "The server cannot be reached. Does sentient dev still run?" });
    }
    this._listener.answer(response);
    if (!response.ok) return { outcome: "refused", problem: await refusal(response) };
    const run = response.headers.get("Sentient-Run-Id") ?? "";
    if (RUN_ID.test(run)) {
      this.run = run;
      this._listener.run(run);
    }
    await this._read(response);
    return this._resume();
  }

  /** The events of a run that has begun, from its start. */
  async watch(run) {
    this.run = run;
    return this._resume(true);
  }

  /** Stop the run; what still comes until its end is taken. The second time, let go of it. */
  async stop() {
    if (this.stopping || !this.run) {
      this.stopping = true;
      this._abort.abort();
      return;
    }
    this.stopping = true;
    this._listener.status("Stopping");
    setTimeout(() => this._abort.abort(), GIVE_UP_AFTER_STOP);
    try {
      const response = await fetch(`/runs/${encodeURIComponent(this.run)}/cancel`, { method: "POST", headers: withToken() });
      if (response.status >= 400) this._abort.abort();
    } catch {
      this._abort.abort();
    }
  }

  /** Let go of the connection; the run is not stopped. */
  release() {
    this._abort.abort();
  }

  async _resume(atOnce = false) {
    for (let attempt = 0; !this._sawDone; attempt += 1) {
      if (this._abort.signal.aborted) return { outcome: this.stopping ? "stopped" : "lost" };
      if (!this.run) return this._broken({ status: 0, detail: "The connection broke, and this server names no run to resume" });
      if (this._progress) attempt = 0;
      this._progress = false;
      if (attempt >= TRIES) return this._broken({ status: 0, detail: "The connection broke and could not be made again" });
      if (!atOnce || attempt > 0) {
        this._listener.status(`Connection lost, resuming (${attempt + 1} of ${TRIES})`);
        await this._pause(BACKOFF[attempt]);
      }
      const ended = await this._reconnect();
      if (ended) return ended;
    }
    return { outcome: this.stopping ? "stopped" : "done" };
  }

  async _reconnect() {
    const headers = this._last ? { "Last-Event-ID": this._last } : {};
    let response;
    try {
      response = await fetch(`/runs/${encodeURIComponent(this.run)}/events`, { headers: withToken(headers), cache: "no-store", signal: this._abort.signal });
    } catch {
      return null;
    }
    this._listener.answer(response);
    if (response.status === 204) return this._interrupted(); // it has no last event, and gets none any more
    if (response.ok) {
      this._listener.status("");
      await this._read(response);
      return null;
    }
    if (PASSING.has(response.status)) return null;
    const problem = await refusal(response);
    if (response.status === 410 && Number.isInteger(problem.body.first_seq)) {
      this._last = String(Math.max(0, problem.body.first_seq - 1));
      this._listener.status("Some events are not kept by the server any more");
      this._progress = true;
      return null;
    }
    return { outcome: response.status === 404 ? "gone" : "lost", problem };
  }

  async _read(response) {
    try {
      for await (const frames of readFrames(response)) {
        const fresh = frames.filter((frame) => this._isNew(frame));
        if (!fresh.length) continue;
        this._progress = true;
        this._sawDone ||= fresh.some(isDone);
        this._listener.frames(fresh);
        if (this._sawDone) return;
      }
    } catch {
      // broken: whoever called resumes
    }
  }

  _isNew(frame) {
    if (!frame.id) return true;
    if (this._last && Number(frame.id) <= Number(this._last)) return false;
    this._last = frame.id;
    return true;
  }

  _broken(problem) {
    if (this._abort.signal.aborted && this.stopping) return { outcome: "stopped" };
    return { outcome: "lost", problem };
  }

  _interrupted() {
    if (this.stopping) return { outcome: "stopped" };
    return { outcome: "lost", problem: { status: 204, detail: "The agent’s process ended in the middle of this answer." } };
  }

  _pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      const now = () => {
        clearTimeout(timer);
        resolve();
      };
      this._abort.signal.addEventListener("abort", now, { once: true });
      globalThis.addEventListener?.("online", now, { once: true });
    });
  }
}
