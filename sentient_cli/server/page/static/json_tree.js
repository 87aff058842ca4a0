// JSON as a tree that is built as it is opened, so that neither depth nor width costs anything until it is looked at.
// Its rows stand one below the other and not within each other: boxes that are nested a thousand times take a browser
// seconds to lay out.

import { clean, escapeHidden } from "./clean.js";
import { copyButton, el } from "./dom.js";

const PAGE = 100;
const MAX_STRING = 2000;
const OPEN_ROWS = 40;
const MAX_INDENT = 24;

/** A number as it was written: one beyond 2^53 would be another one after it was read. */
class RawNumber {
  constructor(text) {
    this.text = text;
  }
}

/** Read JSON without changing its numbers; where that cannot be done, as `JSON.parse` does. */
export function parseExact(text) {
  try {
    return JSON.parse(text, (_key, value, context) =>
      typeof value === "number" && context?.source && String(value) !== context.source ? new RawNumber(context.source) : value);
  } catch {
    return JSON.parse(text);
  }
}

const isTree = (value) => value !== null && typeof value === "object" && !(value instanceof RawNumber);

/** JSON text over several lines. */
export function pretty(value) {
  try {
    return escapeHidden(JSON.stringify(value, (_key, inner) => (inner instanceof RawNumber ? Number(inner.text) : inner), 2));
  } catch {
    return "This is nested too deeply to be shown as text";
  }
}

/** The tree of a value, its first levels open as far as that is little. */
export function jsonTree(value, raw = null) {
  const root = el("div.json", { dir: "ltr" });
  root.append(...rows(null, value, 0, { left: OPEN_ROWS }));
  root.append(copyButton("Copy the JSON", () => raw ?? pretty(value), "button.quiet.corner"));
  return root;
}

function key(name) {
  if (name === null) return null;
  return typeof name === "number" ? el("span.key.index", {}, `${name}`) : el("span.key", {}, shown(name));
}

function shown(text) {
  return escapeHidden(JSON.stringify(text).slice(1, -1)).replaceAll('\\"', '"');
}

function scalar(value) {
  if (typeof value === "string") return string(value);
  if (value instanceof RawNumber) return el("span.number", {}, value.text);
  if (typeof value === "number") return el("span.number", {}, String(value));
  return el("span.constant", {}, String(value));
}

function string(value) {
  const span = el("span.string", { dir: "auto" }, shown(value.slice(0, MAX_STRING)));
  if (value.length <= MAX_STRING) return span;
  const more = el("button.more", { type: "button", onclick: () => {
    span.textContent = clean(value.slice(0, 200_000));
    more.remove();
  } }, `${(value.length - MAX_STRING).toLocaleString("en")} more characters`);
  return el("span", {}, span, " ", more);
}

function summary(value) {
  const size = sizeOf(value);
  const noun = Array.isArray(value) ? "item" : "key";
  return el("span.count", {}, size === 0 ? (Array.isArray(value) ? "empty list" : "empty") : `${size} ${noun}${size === 1 ? "" : "s"}`);
}

const sizeOf = (value) => (Array.isArray(value) ? value.length : Object.keys(value).length);

function row(depth, ...children) {
  const node = el("div.json-row", {}, ...children);
  node.depth = depth;
  node.style.setProperty("--depth", String(Math.min(depth, MAX_INDENT)));
  return node;
}

/** The rows of a value, and of what is in it as far as `budget` allows. */
function rows(name, value, depth, budget) {
  if (!isTree(value)) return [row(depth, key(name), scalar(value))];
  const size = sizeOf(value);
  if (size === 0) return [row(depth, key(name), summary(value))];
  const open = size <= budget.left;
  if (open) budget.left -= size;
  const button = el("button.branch", { type: "button", "aria-expanded": String(open) }, key(name), summary(value));
  const head = row(depth, button);
  button.addEventListener("click", () => toggle(head, button, value));
  return open ? [head, ...page(value, 0, depth + 1, budget)] : [head];
}

function toggle(head, button, value) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  if (open) {
    head.after(...page(value, 0, head.depth + 1, { left: 0 }));
    return;
  }
  while (head.nextSibling?.depth > head.depth) head.nextSibling.remove();
}

function page(value, from, depth, budget) {
  const names = Array.isArray(value) ? null : Object.keys(value);
  const size = names ? names.length : value.length;
  const end = Math.min(size, from + PAGE);
  const found = [];
  for (let index = from; index < end; index += 1) {
    const name = names ? names[index] : index;
    found.push(...rows(name, value[name], depth, budget));
  }
  if (end < size) {
    const more = row(depth, el("button.more", { type: "button", onclick: () => more.replaceWith(...page(value, end, depth, { left: 0 })) },
      `${Math.min(PAGE, size - end)} more of ${(size - end).toLocaleString("en")}`));
    found.push(more);
  }
  return found;
}
