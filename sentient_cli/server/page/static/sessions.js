// The sessions of this browser: their names and which runs they consist of. What was answered lives on the server.
// Each session has a key of its own, so that two open pages do not overwrite each other's.

const PREFIX = "sentient.session.";
const MAX_SESSIONS = 50;
const MAX_TURNS = 200;
const MAX_PROMPT = 20_000;
const MAX_TITLE = 80;
const MAX_BYTES = 2_000_000;

const isText = (value) => typeof value === "string";

/** Keeps sessions in a storage such as `localStorage`; without one, or where it is full, only while the page lives. */
export class Sessions {
  constructor(storage, ulids, now = () => Date.now()) {
    this._storage = storage;
    this._ulids = ulids;
    this._now = now;
    this.all = new Map();
    this.kept = true;
    this.load();
  }

  /** Read what is stored; what is no session is left out. */
  load() {
    const found = new Map();
    try {
      for (let index = 0; index < this._storage.length; index += 1) {
        const name = this._storage.key(index);
        if (!name?.startsWith(PREFIX)) continue;
        const session = read(this._storage.getItem(name));
        if (session && name === PREFIX + session.id) found.set(session.id, session);
      }
    } catch {
      this.kept = false;
    }
    for (const [id, session] of this.all) if (!found.has(id) && (!session.turns.length || !this.kept)) found.set(id, session);
    this.all = found;
  }

  /** Newest first. */
  list() {
    return [...this.all.values()].sort((a, b) => b.updated - a.updated || (a.id < b.id ? 1 : -1));
  }

  create(agent) {
    const session = { id: this._ulids.next(), title: "", named: false, agent, updated: this._now(), turns: [] };
    this.all.set(session.id, session);
    return session;
  }

  addTurn(session, prompt) {
    const turn = { run: null, prompt: prompt.slice(0, MAX_PROMPT), at: this._now(), outcome: "running" };
    session.turns.push(turn);
    if (session.turns.length > MAX_TURNS) session.turns.splice(0, session.turns.length - MAX_TURNS);
    if (!session.named && session.turns.length === 1) session.title = titleOf(prompt);
    this.touch(session);
    return turn;
  }

  rename(session, title) {
    const text = titleOf(title);
    session.named = text !== "";
    session.title = text || titleOf(session.turns[0]?.prompt ?? "");
    this.save(session);
  }

  remove(session) {
    this.all.delete(session.id);
    try {
      this._storage.removeItem(PREFIX + session.id);
    } catch {
      this.kept = false;
    }
  }

  restore(session) {
    this.all.set(session.id, session);
    this.save(session);
  }

  touch(session) {
    session.updated = this._now();
    this.save(session);
  }

  /** Write a session; the oldest ones make room. One without a turn is not worth keeping. */
  save(session) {
    if (!this._storage || !session.turns.length || !this.all.has(session.id)) return;
    this._trim(session);
    for (;;) {
      try {
        this._storage.setItem(PREFIX + session.id, JSON.stringify(session));
        return;
      } catch (error) {
        const oldest = this.list().reverse().find((other) => other !== session && other.turns.length);
        if (!oldest || error.name !== "QuotaExceededError") {
          this.kept = false;
          return;
        }
        this.remove(oldest);
      }
    }
  }

  _trim(session) {
    const sizeOf = (one) => one.turns.reduce((sum, turn) => sum + turn.prompt.length + 200, 200);
    while (sizeOf(session) > MAX_BYTES / 4 && session.turns.length > 1) session.turns.shift();
    const kept = this.list().filter((one) => one.turns.length);
    let size = 0;
    for (const [index, one] of kept.entries()) {
      size += sizeOf(one);
      if (one !== session && (index >= MAX_SESSIONS || size > MAX_BYTES)) this.remove(one);
    }
  }
}

function titleOf(text) {
  const line = text.trim().split(/\s+/).join(" ");
  return line.length > MAX_TITLE ? `${line.slice(0, MAX_TITLE - 1)}…` : line;
}

function read(text) {
  try {
    const given = JSON.parse(text);
    if (!isText(given.id) || !/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(given.id) || !Array.isArray(given.turns)) return null;
    const turns = given.turns
      .filter((turn) => isText(turn?.prompt))
      .map((turn) => ({
        run: isText(turn.run) ? turn.run : null,
        prompt: turn.prompt,
        at: Number(turn.at) || 0,
        outcome: isText(turn.outcome) ? turn.outcome : "running",
      }));
    return {
      id: given.id,
      title: isText(given.title) ? given.title : "",
      named: given.named === true,
      agent: isText(given.agent) ? given.agent : "",
      updated: Number(given.updated) || 0,
      turns,
    };
  } catch {
    return null;
  }
}
