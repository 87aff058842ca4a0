// The two side columns. Where there is room they stand beside the conversation; else they slide over it, one at a time.

const PANEL_KEY = "sentient.events-open";

const sessionsDrawn = matchMedia("(max-width: 760px)");
const eventsDrawn = matchMedia("(max-width: 1180px)");

export class Drawers {
  constructor() {
    this.events = !eventsDrawn.matches && remembered();
    this.sessions = !sessionsDrawn.matches;
    this._opener = null;
    on("toggle-sessions", () => this._set("sessions", !this.sessions));
    on("toggle-events", () => this._set("events", !this.events));
    on("close-events", () => this._set("events", false));
    on("backdrop", () => this.close());
    sessionsDrawn.addEventListener("change", () => this._resized());
    eventsDrawn.addEventListener("change", () => this._resized());
    this._draw();
  }

  openEvents() {
    if (!this.events) this._set("events", true);
  }

  closeSessions() {
    if (sessionsDrawn.matches && this.sessions) this._set("sessions", false);
  }

  /** Close what lies over the conversation; return whether anything did. */
  close() {
    const [events, sessions] = [this.events && eventsDrawn.matches, this.sessions && sessionsDrawn.matches];
    if (sessions) this._set("sessions", false);
    if (events) this._set("events", false);
    return events || sessions;
  }

  _set(name, open) {
    this[name] = open;
    const over = name === "events" ? eventsDrawn.matches : sessionsDrawn.matches;
    if (name === "events" && !over) remember(open);
    if (open && over) this[name === "events" ? "sessions" : "events"] &&= !(name === "events" ? sessionsDrawn : eventsDrawn).matches;
    this._draw();
    if (!over) return;
    if (open) {
      this._opener = document.activeElement;
      document.getElementById(name === "events" ? "close-events" : "new-session").focus();
    } else {
      this._opener?.focus();
    }
  }

  _resized() {
    this.sessions = !sessionsDrawn.matches;
    this.events = !eventsDrawn.matches && remembered();
    this._draw();
  }

  _draw() {
    const frame = document.getElementById("frame");
    frame.classList.toggle("with-sessions", this.sessions);
    frame.classList.toggle("with-events", this.events);
    document.getElementById("toggle-sessions").setAttribute("aria-expanded", String(this.sessions));
    document.getElementById("toggle-events").setAttribute("aria-expanded", String(this.events));
    const over = (this.events && eventsDrawn.matches) || (this.sessions && sessionsDrawn.matches);
    document.getElementById("backdrop").classList.toggle("shown", over);
    document.querySelector("main").inert = over;
  }
}

function on(id, listener) {
  document.getElementById(id).addEventListener("click", listener);
}

function remembered() {
  try {
    return localStorage.getItem(PANEL_KEY) !== "no";
  } catch {
    return true;
  }
}

function remember(open) {
  try {
    localStorage.setItem(PANEL_KEY, open ? "yes" : "no");
  } catch {
    // it is open next time
  }
}
