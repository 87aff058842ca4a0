// Markdown of a growing text as elements. Only its end is built anew when more comes.

import { clean, cleanLine, Cleaner } from "./clean.js";
import { copyButton, el } from "./dom.js";
import { parseBlocks, plainText } from "./markdown.js";

const MAX_SHOWN = 200_000;
const MAX_KEPT = 8_000_000;
const MAX_ROWS = 500;
const UNSETTLED = 2; // so many last blocks may still change their kind

/** One text of an answer. `append` what comes, `finish` at its end; it draws itself once per frame. */
export class MarkdownView {
  constructor() {
    this.element = el("div.prose", { dir: "auto" });
    this.text = "";
    this.length = 0; // of all that came, also of what is not kept
    this.onDraw = () => {};
    this._cleaner = new Cleaner();
    this._settled = 0; // characters whose elements stay as they are
    this._tail = [];
    this._frame = 0;
    this._due = 0;
    this._finished = false;
  }

  append(piece) {
    const text = this._cleaner.feed(piece);
    if (!text) return;
    this.length += text.length;
    const wasFull = this.text.length >= MAX_SHOWN;
    if (this.text.length < MAX_KEPT) this.text += text.slice(0, MAX_KEPT - this.text.length);
    if (!wasFull) this._schedule();
  }

  finish() {
    if (this._finished) return;
    this._finished = true;
    this.append("");
    cancelAnimationFrame(this._frame);
    this._frame = 0;
    this._draw();
    if (this.length > MAX_SHOWN) this._sayRest();
  }

  _schedule() {
    if (this._frame || this._finished) return;
    this._frame = requestAnimationFrame((now) => {
      this._frame = 0;
      if (now < this._due) {
        this._schedule();
        return;
      }
      const began = performance.now();
      this._draw();
      this._due = now + 6 * (performance.now() - began); // a text that is slow to draw is drawn less often
    });
  }

  _draw() {
    const shown = this.text.slice(this._settled, MAX_SHOWN);
    const lines = shown.split("\n");
    const blocks = parseBlocks(shown);
    const settledBlocks = Math.max(0, blocks.length - UNSETTLED);
    const tail = [];
    for (const [index, block] of blocks.entries()) {
      const source = lines.slice(block.start, blocks[index + 1]?.start).join("\n");
      const old = this._tail[index];
      const node = old?.source === source ? old.node : (update(old?.node, block) ?? drawBlock(block));
      if (old && old.node !== node) old.node.replaceWith(node);
      else if (!old) this.element.append(node);
      tail.push({ source, node });
    }
    for (const { node } of this._tail.slice(blocks.length)) node.remove();
    const kept = blocks[settledBlocks]?.start ?? 0;
    for (let line = 0; line < kept; line += 1) this._settled += lines[line].length + 1;
    this._tail = tail.slice(settledBlocks);
    this.onDraw();
  }

  _sayRest() {
    const more = this.length - MAX_SHOWN;
    const kept = this.length > MAX_KEPT ? ` Copying gives the first ${MAX_KEPT.toLocaleString("en")}.` : "";
    this.element.append(el("p.cut", {}, `${more.toLocaleString("en")} more characters are not shown.${kept}`));
  }
}

/** Let an open code block grow in place, so that what is selected in it stays selected. */
function update(node, block) {
  if (block.type !== "code" || !node?.matches("figure.code")) return null;
  const code = node.querySelector("code");
  if (node.dataset.language !== block.language || !block.text.startsWith(code.textContent)) return null;
  code.firstChild ? code.firstChild.appendData(block.text.slice(code.textContent.length)) : code.append(block.text);
  return node;
}

/** Whole Markdown, drawn once. */
export function markdown(text) {
  const element = el("div.prose", { dir: "auto" });
  element.append(...parseBlocks(clean(text)).map(drawBlock));
  return element;
}

function drawBlock(block) {
  switch (block.type) {
    case "heading":
      return drawHeading(block);
    case "rule":
      return el("hr");
    case "code":
      return drawCode(block);
    case "quote":
      return el("blockquote", {}, ...block.blocks.map(drawBlock));
    case "list":
      return drawList(block);
    case "table":
      return drawTable(block);
    default:
      return el("p", {}, ...block.inline.map(drawInline));
  }
}

function drawHeading({ level, inline }) {
  // The page and the question have the two highest ranks.
  return el(`h${Math.min(level + 2, 6)}.h${level}`, {}, ...inline.map(drawInline));
}

function drawCode({ language, text }) {
  const code = el("code", {}, text);
  const name = cleanLine(language, 40);
  const figure = el(
    "figure.code",
    { "data-language": language },
    el("figcaption", {}, el("span", {}, name || "text"), copyButton("Copy the code", () => code.textContent)),
    el("pre", { tabindex: "0", dir: "ltr", role: "region", "aria-label": name ? `Code: ${name}` : "Code" }, code),
  );
  return figure;
}

function drawList({ ordered, from, loose, items }) {
  const list = el(ordered ? "ol" : "ul", ordered && from !== 1 ? { start: from } : {});
  for (const blocks of items) {
    const [first] = blocks;
    const box = first?.type === "paragraph" ? taskBox(first) : null;
    const item = el(box ? "li.task" : "li");
    if (box) item.append(box);
    for (const block of blocks) {
      if (!loose && block.type === "paragraph") item.append(el("span", {}, ...block.inline.map(drawInline)));
      else item.append(drawBlock(block));
    }
    list.append(item);
  }
  return list;
}

function taskBox(paragraph) {
  const [head] = paragraph.inline;
  const text = paragraph.inline.slice(0, 3).map((node) => (typeof node === "string" ? node : "")).join("");
  const found = typeof head === "string" && /^\[([ xX])\]\s/.exec(text);
  if (!found) return null;
  let rest = found[0].length;
  while (rest > 0) {
    const [next] = paragraph.inline;
    paragraph.inline[0] = next.slice(rest);
    rest -= Math.min(rest, next.length);
    if (!paragraph.inline[0]) paragraph.inline.shift();
  }
  const done = found[1] !== " ";
  return el(done ? "span.box.done" : "span.box", { role: "img", "aria-label": done ? "Done:" : "To do:" });
}

function drawTable({ align, head, rows }) {
  const cell = (tag) => (inline, column) =>
    el(align[column] ? `${tag}.${align[column]}` : tag, tag === "th" ? { scope: "col" } : {}, ...inline.map(drawInline));
  const body = el("tbody", {}, ...rows.slice(0, MAX_ROWS).map((row) => el("tr", {}, ...row.map(cell("td")))));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...head.map(cell("th")))), body);
  const scroller = el("div.table", { tabindex: "0", role: "region", "aria-label": "Table" }, table);
  if (rows.length > MAX_ROWS) scroller.append(el("p.cut", {}, `${rows.length - MAX_ROWS} more rows are not shown.`));
  return scroller;
}

function drawInline(node) {
  if (typeof node === "string") return node;
  const inside = () => node.children.map(drawInline);
  switch (node.type) {
    case "code":
      return el("code", { dir: "ltr" }, node.text);
    case "break":
      return el("br");
    case "link":
      return el(
        "a",
        { href: node.href, target: "_blank", rel: "noopener noreferrer nofollow", title: node.href, dir: "auto" },
        ...inside(),
      );
    case "strong":
    case "em":
    case "del":
      return el(node.type, {}, ...inside());
    default:
      return plainText(node);
  }
}
