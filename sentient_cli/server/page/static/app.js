// The page of `sentient dev`: puts its parts together.

import { Chat, sessionName } from "./chat.js";
import { cleanLine } from "./clean.js";
import { announce, icon } from "./dom.js";
import { Drawers } from "./drawers.js";
import { Feed, takeToken } from "./feed.js";
import { Inspector } from "./inspector.js";
import { Losses } from "./losses.js";
import { Reload, toast } from "./reload.js";
import { Sessions } from "./sessions.js";
import { Sidebar } from "./sidebar.js";
import { nextTheme, readTheme } from "./theme.js";
import { Ulids } from "./ulid.js";
import { withToken } from "./token.js";

const UNDO = 8000;
const CHOSEN_KEY = "sentient.chosen-session";

let agent = "";
let unseenAnswer = false;

const ulids = new Ulids();
const sessions = new Sessions(storage(), ulids);
const drawers = new Drawers();
const reload = new Reload({ onChange: drawTitle, mayExplain: () => feed?.status === "live" });
const inspector = new Inspector({ drawers });
const losses = new Losses();
const chat = new Chat(sessions, ulids, {
  onChange: changed,
  onFrames: (run, frames) => inspector.frames(run, frames),
  onAnswer: (response) => {
    const found = /generation=(\d{1,9})/.exec(response.headers.get("Sentient-Reload-Error") ?? "");
    reload.header(found ? Number(found[1]) : null);
  },
  onEvents: (run) => inspector.open(run),
  whyLost: (record) => losses.why(record, feed),
});
const sidebar = new Sidebar(sessions, {
  choose: (session) => {
    choose(session);
    drawers.closeSessions();
    chat.focus();
  },
  rename: (session, title) => {
    sessions.rename(session, title);
    drawTitle();
  },
  remove,
  isRunning: (session) => chat.running(session).length > 0,
  agent: () => agent,
});
const feed = startFeed();

start();

function storage() {
  try {
    return localStorage;
  } catch {
    return null; // the sessions last as long as the page
  }
}

function start() {
  drawButtons();
  listen();
  const remembered = tabStorage((store) => store.getItem(CHOSEN_KEY));
  choose(sessions.all.get(remembered) ?? sessions.list().find((one) => one.turns.length && isRecent(one)) ?? sessions.create(agent));
  learnName();
  if (!matchMedia("(pointer: coarse)").matches) chat.focus(); // there a keyboard would come up that hides half of the page
}

function isRecent(session) {
  return Date.now() - session.updated < 12 * 3600 * 1000;
}

function tabStorage(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

function startFeed() {
  const token = takeToken();
  if (!token) {
    inspector.status("none");
    return null;
  }
  const made = new Feed(token, {
    entries: (run, entries) => inspector.entries(run, entries),
    state: (state, isReload) => {
      reload.take(state, isReload);
      losses.take(state.crash, isReload);
      if (state.agent) named(state.agent);
      about(state);
    },
    status: (status) => {
      inspector.status(status);
      reload.away(status === "lost");
      if (status === "denied" || status === "absent") reload.forget();
      if (status === "live") made.get("/_sentient/runs").then((runs) => inspector.runs(runs ?? []));
    },
  });
  made.start();
  return made;
}

async function learnName() {
  try {
    const health = await (await fetch("/health", { headers: withToken(), cache: "no-store" })).json();
    if (typeof health.agent === "string") named(health.agent);
    if (typeof health.version === "string") about({ version: health.version });
  } catch {
    // the hub may have no agent yet; its state will name it
  }
}

function named(name) {
  if (name === agent) return;
  agent = name;
  const shown = cleanLine(name, 80);
  document.getElementById("agent").textContent = shown;
  document.getElementById("welcome-title").textContent = `Ask ${shown}`;
  document.getElementById("prompt").placeholder = `Ask ${shown}…`;
  if (chat.session && !chat.session.turns.length) chat.session.agent = name;
  sidebar.draw();
  drawTitle();
}

const facts = {};

function about({ version, environment, project }) {
  Object.assign(facts, version ? { version } : {}, environment ? { environment } : {}, project ? { project } : {});
  const name = facts.project ? cleanLine(facts.project, 300).split(/[\\/]/).filter(Boolean).pop() : "";
  const parts = [name, facts.environment && cleanLine(facts.environment, 40), facts.version && `sentient ${cleanLine(facts.version, 20)}`];
  const node = document.getElementById("about");
  node.textContent = parts.filter(Boolean).join(" · ");
  node.title = facts.project ? cleanLine(facts.project, 300) : "";
}

function choose(session) {
  chat.show(session);
  tabStorage((store) => store.setItem(CHOSEN_KEY, session.id));
  sidebar.draw(session);
  inspector.session(session);
  drawTitle();
}

function newSession() {
  const empty = sessions.list().find((session) => !session.turns.length);
  choose(empty ?? sessions.create(agent));
  drawers.closeSessions();
  chat.focus();
  announce("New session");
}

function remove(session) {
  const draft = session === chat.session;
  sessions.remove(session);
  chat.forget(session);
  if (draft) choose(sessions.list().find((one) => one.turns.length) ?? sessions.create(agent));
  else sidebar.draw();
  toast(`“${sessionName(session)}” deleted`, { label: "Undo", run: () => {
    sessions.restore(session);
    choose(session);
  } }, UNDO);
}

function changed(turn, session) {
  if (!session.agent) session.agent = agent;
  sidebar.draw();
  inspector.turn(turn, session);
  if (!turn.running && document.hidden) unseenAnswer = true;
  drawTitle();
}

function drawTitle() {
  const name = chat?.session?.turns.length ? `${sessionName(chat.session)} · ` : "";
  const sign = reload.broken !== null ? "✗ " : chat.anyRunning() ? "● " : unseenAnswer ? "✓ " : "";
  document.title = `${sign}${name}${cleanLine(agent, 80) || "sentient dev"}`;
}

function drawButtons() {
  document.getElementById("toggle-sessions").append(icon("menu"));
  document.getElementById("toggle-events").append(icon("pulse"));
  document.getElementById("close-events").append(icon("close"));
  document.getElementById("new-icon").append(icon("plus"));
  document.getElementById("jump").append(icon("down"));
  document.getElementById("new-key").textContent = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ K" : "Ctrl K";
  drawTheme(readTheme());
}

function drawTheme(theme) {
  const button = document.getElementById("theme");
  button.replaceChildren(icon({ auto: "auto", light: "sun", dark: "moon" }[theme]));
  const label = `Colours: ${{ auto: "as the system", light: "light", dark: "dark" }[theme]}`;
  button.setAttribute("aria-label", label);
  button.title = label;
}

function listen() {
  document.getElementById("new-session").addEventListener("click", newSession);
  document.getElementById("theme").addEventListener("click", () => {
    const theme = nextTheme();
    drawTheme(theme);
    announce(document.getElementById("theme").title);
  });
  document.addEventListener("keydown", keyed);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseenAnswer = false;
    drawTitle();
  });
  addEventListener("storage", (event) => {
    if (!event.key?.startsWith("sentient.session.")) return;
    sessions.load();
    sidebar.draw();
  });
  addEventListener("hashchange", () => {
    if (!location.hash.includes("token=")) return;
    takeToken();
    location.reload();
  });
}

function keyed(event) {
  if (event.defaultPrevented || event.isComposing) return;
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape") {
    if (reload.dismiss() || drawers.close() || chat.stop()) event.preventDefault();
  } else if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    newSession();
  } else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    drawers.close();
    chat.focus();
  }
}
