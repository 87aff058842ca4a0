// What is told of a process of the agent that has ended by itself: by a crash, or by ending itself.

import { clean, cleanLine } from "./clean.js";
import { toast } from "./reload.js";

const SHOWN = 10_000;
const NOTICED = 300; // the connection may end before it is known how the process did

/** Tells of each crash once, and knows why an answer broke off. */
export class Losses {
  constructor() {
    this._told = null;
  }

  /** The last crash that the hub knows of, or null; `isNew` when it may have just come to be. */
  take(crash, isNew) {
    const number = Number(crash?.number) || 0;
    if (isNew && this._told !== null && number > this._told) toast(sentences({ how: crash.how }), null, SHOWN);
    this._told = number;
  }

  /** Why the answer of a turn broke off; null when that is not known. */
  async why({ run, at }, feed) {
    if (feed?.status !== "live") return null;
    await new Promise((resolve) => { setTimeout(resolve, NOTICED); });
    const crash = (await feed.get("/_sentient/state"))?.crash;
    if (!crash) return null;
    const isOurs = run ? Array.isArray(crash.runs) && crash.runs.includes(run) : Number(crash.at) >= at;
    return isOurs ? sentences(crash) : null;
  }
}

function sentences({ how, why, fix }) {
  const reason = clean(String(why ?? "")).split(": ").slice(1).join(": ");
  const parts = [`The agent’s process ended: ${cleanLine(how, 500)}`, reason && reason[0].toUpperCase() + reason.slice(1), clean(String(fix ?? ""))];
  return parts.filter(Boolean).map((part) => `${part}.`).join(" ");
}
