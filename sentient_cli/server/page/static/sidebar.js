// The list of sessions.

import { sessionName } from "./chat.js";
import { el, iconButton } from "./dom.js";

export class Sidebar {
  /** `hooks`: `choose(session)`, `rename(session, title)`, `remove(session)`, `isRunning(session)`, `agent()`. */
  constructor(sessions, hooks) {
    this._sessions = sessions;
    this._hooks = hooks;
    this._chosen = null;
    this._renaming = null;
    this._list = document.getElementById("sessions");
    this._others = document.getElementById("other-sessions");
    this._othersList = document.getElementById("other-sessions-list");
  }

  draw(chosen = this._chosen) {
    this._chosen = chosen;
    if (this._renaming) return;
    const focused = document.activeElement?.closest?.("[data-session]")?.dataset.session;
    const agent = this._hooks.agent();
    const [here, others] = [[], []];
    for (const session of this._sessions.list()) {
      if (!session.turns.length && session !== chosen) continue;
      const foreign = agent && session.agent && session.agent !== agent && session !== chosen;
      (foreign ? others : here).push(session);
    }
    this._list.replaceChildren(...here.map((session) => this._item(session)));
    this._othersList.replaceChildren(...others.map((session) => this._item(session)));
    this._others.hidden = !others.length;
    if (focused) document.querySelector(`[data-session="${focused}"] .session`)?.focus();
  }

  _item(session) {
    const chosen = session === this._chosen;
    const name = sessionName(session);
    const open = el("button.session", {
      type: "button",
      "aria-current": chosen ? "true" : null,
      title: name,
      onclick: () => this._hooks.choose(session),
      onkeydown: (event) => {
        if (event.key === "F2") this._rename(item, session);
        if (event.key === "Delete") this._hooks.remove(session);
      },
    }, el("span.session-name", { dir: "auto" }, name), el("span.session-when", {}, when(session.updated)));
    const item = el(this._hooks.isRunning(session) ? "li.running" : "li", { "data-session": session.id }, open,
      session.turns.length ? iconButton("pencil", `Rename “${name}”`, () => this._rename(item, session)) : null,
      session.turns.length ? iconButton("trash", `Delete “${name}”`, () => this._hooks.remove(session)) : null);
    return item;
  }

  _rename(item, session) {
    if (!session.turns.length) return;
    this._renaming = session;
    const input = el("input.rename", { type: "text", maxlength: "80", "aria-label": "Name of the session" });
    input.value = sessionName(session);
    const end = (keep) => {
      if (this._renaming !== session) return;
      this._renaming = null;
      if (keep) this._hooks.rename(session, input.value);
      this.draw();
      document.querySelector(`[data-session="${session.id}"] .session`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && !event.isComposing) end(true);
      if (event.key === "Escape") end(false);
    });
    input.addEventListener("blur", () => end(true));
    item.replaceChildren(input);
    input.select();
  }
}

function when(at) {
  const date = new Date(at);
  const today = new Date();
  const sameDay = date.toDateString() === today.toDateString();
  return sameDay
    ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString([], { month: "short", day: "numeric" });
}
