// JSON as a tree that is built as it is opened, so that neither depth nor width costs anything until it is looked at.

import { clean, escapeHidden } from "./clean.js";
import { copyButton, el } from "./dom.js";

const PAGE = 100;
const MAX_STRING = 2000;
const OPEN_NODES = 40;

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
  root.append(isTree(value) ? branch(null, value, { left: OPEN_NODES }) : leaf(null, value));
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

function leaf(name, value) {
  return el("div.leaf", {}, key(name), scalar(value));
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
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  const noun = Array.isArray(value) ? "item" : "key";
  return el("span.count", {}, size === 0 ? (Array.isArray(value) ? "empty list" : "empty") : `${size} ${noun}${size === 1 ? "" : "s"}`);
}

function branch(name, value, budget) {
  const children = el("div.children");
  const entries = Array.isArray(value) ? value.length : Object.keys(value).length;
  const open = entries > 0 && entries <= budget.left;
  const details = el("details.branch", { open }, el("summary", {}, key(name), summary(value)), children);
  const fill = () => {
    if (children.childElementCount === 0) page(children, value, 0, open ? budget : { left: 0 });
  };
  if (open) {
    budget.left -= entries;
    fill();
  } else {
    details.addEventListener("toggle", fill, { once: true });
  }
  return details;
}

function page(children, value, from, budget) {
  const names = Array.isArray(value) ? null : Object.keys(value);
  const size = names ? names.length : value.length;
  const end = Math.min(size, from + PAGE);
  for (let index = from; index < end; index += 1) {
    const name = names ? names[index] : index;
    const inner = value[name];
    children.append(isTree(inner) ? branch(name, inner, budget) : leaf(name, inner));
  }
  if (end < size) {
    const more = el("button.more", { type: "button", onclick: () => {
      more.remove();
      page(children, value, end, { left: 0 });
    } }, `${Math.min(PAGE, size - end)} more of ${(size - end).toLocaleString("en")}`);
    children.append(more);
  }
}
