// The inspection stream: everything that happens in all runs, and each reload. It needs the inspection token.

import { readFrames } from "./sse.js";
import { refusal } from "./wire.js";
import { TOKEN_KEY } from "./token.js";

const TOKEN = /^[\x21-\x7e]{8,512}$/;
const BACKOFF = [300, 600, 1200, 2500, 5000];
const HIDDEN_FOR = 20_000; // a hidden page gives its connection back after so long: a browser opens six to a server

/** The token of the address, which is then taken out of it, or the one that this tab had before. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search);
    if (TOKEN.test(given)) writeToken(given);
  }
  try {
    const kept = sessionStorage.getItem(TOKEN_KEY);
    return kept && TOKEN.test(kept) ? kept : null;
  } catch {
    return given && TOKEN.test(given) ? given : null;
  }
}

function writeToken(token) {
  try {
    if (token === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // without storage the token lives as long as the page
  }
}

/** Follows the stream for ever. `hooks`: `entries(run, entries)`, `state(state, isReload)`, `status(status)`; a status is
 * `connecting`, `live`, `lost`, `denied` or `absent`, and after the last two nothing more comes. */
export class Feed {
  constructor(token, hooks) {
    this.status = "connecting";
    this._token = token;
    this._hooks = hooks;
    this._cursor = null;
    this._abort = null;
    this._over = false;
    this._hidden = null;
    this._wake = () => {};
    document.addEventListener("visibilitychange", () => this._visibility());
  }

  async start() {
    for (let attempt = 0; !this._over; attempt += 1) {
      if (document.hidden && this._paused) await new Promise((resolve) => { this._wake = resolve; });
      this._paused = false;
      const reached = await this._connect();
      if (reached) attempt = 0;
      if (this._over) return;
      if (!this._paused) {
        this._say("lost");
        await this._pause(BACKOFF[Math.min(attempt, BACKOFF.length - 1)]);
      }
    }
  }

  /** An answer of an inspection endpoint, as JSON; null when there is none. */
  async get(path) {
    try {
      const response = await this._fetch(path);
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  }

  _fetch(path, signal) {
    return fetch(path, { headers: { Authorization: `Bearer ${this._token}` }, cache: "no-store", signal });
  }

  async _connect() {
    this._abort = new AbortController();
    let response;
    try {
      const after = this._cursor === null ? "" : `?after=${encodeURIComponent(this._cursor)}`;
      response = await this._fetch(`/_sentient/entries${after}`, this._abort.signal);
    } catch {
      return false;
    }
    if (!response.ok) {
      await this._refused(response);
      return false;
    }
    this._say("live");
    const state = await this.get("/_sentient/state");
    if (state) this._hooks.state(state, false);
    try {
      for await (const frames of readFrames(response)) this._take(frames);
    } catch {
      // broken: it is made again
    }
    return true;
  }

  async _refused(response) {
    const { status, body } = await refusal(response);
    if (status === 401 || status === 403) {
      writeToken(null);
      this._end("denied");
    } else if (status === 404 || status === 405) {
      this._end("absent");
    } else if (status === 410 || status === 400) {
      const first = status === 410 ? (body.first_cursor ?? null) : null;
      this._cursor = first === this._cursor ? null : first;
    }
  }

  _take(frames) {
    const runs = new Map();
    for (const frame of frames) {
      if (frame.id) this._cursor = frame.id;
      let data;
      try {
        data = JSON.parse(frame.data);
      } catch {
        continue;
      }
      if (frame.event === "reload") this._hooks.state(data, true);
      else if (frame.event === "entry" && typeof data.run === "string" && data.seq > 0) {
        if (!runs.has(data.run)) runs.set(data.run, []);
        runs.get(data.run).push({ seq: data.seq, at: Number(data.at), type: String(data.type), raw: frame.data, live: "feed", blob: Boolean(data.blob), data: seen(data) });
      }
    }
    for (const [run, entries] of runs) this._hooks.entries(run, entries);
  }

  _end(status) {
    this._over = true;
    this._say(status);
  }

  _say(status) {
    if (status === this.status) return;
    this.status = status;
    this._hooks.status(status);
  }

  _visibility() {
    clearTimeout(this._hidden);
    if (!document.hidden) {
      this._wake();
      return;
    }
    this._hidden = setTimeout(() => {
      this._paused = true;
      this._abort?.abort();
    }, HIDDEN_FOR);
  }

  _pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this._wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What the list of runs needs of an entry; the rest is read again from `raw` when it is looked at. */
function seen({ type, data }) {
  if (type === "run.started") return { prompt: String(data?.prompt ?? ""), session: String(data?.session ?? "") };
  if (type === "run.finished") return { outcome: String(data?.outcome ?? "") };
  return null;
}
