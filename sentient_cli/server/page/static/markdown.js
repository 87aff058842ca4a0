// Markdown to a tree of plain objects, in linear time, for the part of it that models write. No HTML, no images: what is
// not understood stays text. `markdown_view.js` builds elements from the tree.

const MAX_DEPTH = 8;
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]{0,40})[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:([ \t]+)(.*)|)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DELIMITER_ROW = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const MAX_COLUMNS = 64;

/** Blocks of a text. Each has `start`, the index of its first line, so that a growing text need not be read anew. */
export function parseBlocks(text, depth = 0) {
  return new Blocks(text.split("\n"), depth).parse();
}

class Blocks {
  constructor(lines, depth) {
    this.lines = lines;
    this.depth = depth;
    this.at = 0;
    this.blocks = [];
  }

  parse() {
    while (this.at < this.lines.length) {
      const start = this.at;
      const block = this.block(this.lines[this.at]);
      if (block) this.blocks.push({ ...block, start });
    }
    return this.blocks;
  }

  block(line) {
    if (!line.trim()) {
      this.at += 1;
      return null;
    }
    let found = FENCE.exec(line);
    if (found) return this.fence(found);
    found = HEADING.exec(line);
    if (found) {
      this.at += 1;
      return { type: "heading", level: found[1].length, inline: parseInline(found[2]) };
    }
    if (RULE.test(line)) {
      this.at += 1;
      return { type: "rule" };
    }
    if (this.depth < MAX_DEPTH) {
      if (QUOTE.test(line)) return this.quote();
      if (ITEM.test(line)) return this.list();
    }
    return this.isTable(this.at) ? this.table() : this.paragraph();
  }

  fence([, mark, language]) {
    const close = new RegExp(`^ {0,3}${mark[0] === "~" ? "~" : "`"}{${mark.length},}[ \\t]*$`);
    const indent = /^ */.exec(this.lines[this.at])[0].length;
    const code = [];
    let closed = false;
    for (this.at += 1; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at];
      if (close.test(line)) {
        closed = true;
        this.at += 1;
        break;
      }
      code.push(indent ? line.replace(new RegExp(`^ {0,${indent}}`), "") : line);
    }
    return { type: "code", language, text: code.join("\n"), closed };
  }

  quote() {
    const inner = [];
    for (; this.at < this.lines.length; this.at += 1) {
      const found = QUOTE.exec(this.lines[this.at]);
      if (!found && (!this.lines[this.at].trim() || this.begins(this.at))) break;
      inner.push(found ? found[1] : this.lines[this.at]);
    }
    return { type: "quote", blocks: parseBlocks(inner.join("\n"), this.depth + 1) };
  }

  list() {
    const first = ITEM.exec(this.lines[this.at]);
    const ordered = /\d/.test(first[2]);
    const kind = (mark) => (ordered ? mark.slice(-1) : mark);
    const items = [];
    let loose = false;
    while (this.at < this.lines.length) {
      const found = ITEM.exec(this.lines[this.at]);
      if (!found || RULE.test(this.lines[this.at]) || /\d/.test(found[2]) !== ordered || kind(found[2]) !== kind(first[2])) break;
      const item = this.item(found);
      items.push(item.text);
      loose ||= item.blank && this.at < this.lines.length && ITEM.test(this.lines[this.at]);
    }
    return {
      type: "list",
      ordered,
      from: ordered ? Number.parseInt(first[2], 10) : 1,
      loose,
      items: items.map((text) => parseBlocks(text, this.depth + 1)),
    };
  }

  item([, before, mark, gap, rest]) {
    const width = before.length + mark.length + (gap && gap.length < 5 ? gap.length : 1);
    const margin = new RegExp(`^ {0,${width}}`);
    const lines = [rest ?? ""];
    let blank = false;
    for (this.at += 1; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at];
      const indent = /^[ \t]*/.exec(line)[0].replace(/\t/g, "    ").length;
      if (!line.trim()) {
        blank = true;
        lines.push("");
      } else if (indent >= before.length + 2) {
        lines.push(line.replace(/^\t/, "    ").replace(margin, ""));
        blank = false;
      } else if (blank || this.begins(this.at)) {
        break;
      } else {
        lines.push(line); // a lazy line goes on with the paragraph
      }
    }
    return { text: lines.join("\n"), blank };
  }

  begins(at) {
    const line = this.lines[at];
    return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
  }

  isTable(at) {
    const [head, row] = [this.lines[at], this.lines[at + 1]];
    if (row === undefined || !head.includes("|") || !row.includes("-") || !DELIMITER_ROW.test(row)) return false;
    return cells(head).length === cells(row).length;
  }

  table() {
    const head = cells(this.lines[this.at]);
    const align = cells(this.lines[this.at + 1]).map((cell) => {
      const [left, right] = [cell.startsWith(":"), cell.endsWith(":")];
      return left && right ? "center" : right ? "right" : null;
    });
    const rows = [];
    for (this.at += 2; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at];
      if (!line.trim() || this.begins(this.at)) break;
      const row = cells(line).slice(0, head.length);
      while (row.length < head.length) row.push("");
      rows.push(row.map(parseInline));
    }
    return { type: "table", align, head: head.map(parseInline), rows };
  }

  paragraph() {
    const lines = [];
    do {
      lines.push(this.lines[this.at]);
      this.at += 1;
    } while (this.at < this.lines.length && this.lines[this.at].trim() && !this.interrupts(this.at));
    return { type: "paragraph", inline: parseInline(lines.join("\n")) };
  }

  interrupts(at) {
    const item = ITEM.exec(this.lines[at]);
    if (item) return this.depth < MAX_DEPTH && item[4] !== undefined && (!/\d/.test(item[2]) || /^1[.)]$/.test(item[2]));
    return (this.depth < MAX_DEPTH || !QUOTE.test(this.lines[at])) && (this.begins(at) || this.isTable(at));
  }
}

function cells(row) {
  const inner = row.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  return inner.split(/(?<!\\)\|/, MAX_COLUMNS).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

// -- within a line ---------------------------------------------------------------------------------------------------

const SPECIAL = /\\|`+|\*+|_+|~~|!?\[|\]|<https?:\/\/[^\s<>]{1,2000}>|https?:\/\/[^\s<>"`[\]]{1,2000}|[ \t]*\n/gi;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const TARGET = /\(\s*<?([^\s()<>]{1,2000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,2000})?)>?(?:\s+(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\s*\)/y;
const MAX_NESTING = 16;
const MAX_BRACKETS = 64;

/** An address that may be linked to, or null: http and https only, and none that hides its host behind a user's name. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

/** Inline nodes: strings, and `{type, children}` of code, strong, em, del, link and break. */
export function parseInline(text) {
  return new Inline(text).parse();
}

const WORD = /[\p{L}\p{N}]/u;

/** Whether a mark may be closed; the rule of three is CommonMark's, and keeps `**5*3**` whole. */
function fits(open, whole, size, opens) {
  if (open.char === "~") return open.size === size;
  return !(open.both || opens) || (open.whole + whole) % 3 !== 0 || (open.whole % 3 === 0 && whole % 3 === 0);
}

class Inline {
  constructor(text) {
    this.text = text;
    this.nodes = []; // flat: strings, nodes, and open marks
    this.openMarks = [];
    this.brackets = [];
    this.nextTarget = -1;
    this.noTicks = new Set(); // lengths of runs of backticks that have no end
  }

  parse() {
    const { text } = this;
    const special = new RegExp(SPECIAL);
    let at = 0;
    for (let found = special.exec(text); found; found = special.exec(text)) {
      if (found.index > at) this.nodes.push(text.slice(at, found.index));
      at = this.take(found[0], found.index);
      special.lastIndex = at;
    }
    if (at < text.length) this.nodes.push(text.slice(at));
    return flatten(this.nodes);
  }

  /** Take what stands at an index; return the index after it. */
  take(mark, at) {
    const end = at + mark.length;
    const first = mark[0];
    if (mark === "\\") return this.escape(at);
    if (first === "`") return this.code(mark, at);
    if (first === "*" || first === "_" || mark === "~~") return this.emphasis(mark, at);
    if (mark.endsWith("[")) {
      if (this.brackets.length === MAX_BRACKETS) this.brackets.shift();
      this.brackets.push({ at: this.nodes.length, marks: this.openMarks.length });
      this.nodes.push(mark);
      return end;
    }
    if (first === "]") return this.link(at);
    if (first === "<") return this.address(mark.slice(1, -1), mark, end);
    if (mark.endsWith("\n")) {
      this.nodes.push(mark.length > 2 ? { type: "break" } : "\n");
      return end;
    }
    const url = mark.replace(/[.,:;!?'")\]*_]+$/, (tail) => (tail.startsWith(")") && mark.includes("(") ? ")" : ""));
    return this.address(url, url, at + url.length);
  }

  escape(at) {
    const next = this.text[at + 1];
    if (next === "\n") this.nodes.push({ type: "break" });
    else if (next !== undefined && ESCAPABLE.test(next)) this.nodes.push(next);
    else {
      this.nodes.push("\\");
      return at + 1;
    }
    return at + 2;
  }

  code(mark, at) {
    const begin = at + mark.length;
    if (!this.noTicks.has(mark.length)) {
      const runs = /`+/g;
      runs.lastIndex = begin;
      for (let run = runs.exec(this.text); run; run = runs.exec(this.text)) {
        if (run[0].length !== mark.length) continue;
        const inner = this.text.slice(begin, run.index).replaceAll("\n", " ");
        const padded = inner.startsWith(" ") && inner.endsWith(" ") && inner.trim();
        this.nodes.push({ type: "code", text: padded ? inner.slice(1, -1) : inner });
        return run.index + mark.length;
      }
      this.noTicks.add(mark.length);
    }
    this.nodes.push(mark);
    return begin;
  }

  address(url, shown, end) {
    const href = safeUrl(url);
    this.nodes.push(href ? { type: "link", href, children: [url] } : shown);
    return end;
  }

  emphasis(mark, at) {
    const before = this.text[at - 1] ?? " ";
    const after = this.text[at + mark.length] ?? " ";
    const inWord = mark[0] === "_" && WORD.test(before) && WORD.test(after);
    const [opens, closes] = [!/\s/.test(after) && !inWord, !/\s/.test(before) && !inWord];
    const rest = closes ? this.close(mark[0], mark.length, opens, at) : mark.length;
    if (rest > 0) {
      if (opens && rest <= 3) {
        this.openMarks.push({ char: mark[0], size: rest, whole: mark.length, both: closes, at: this.nodes.length });
      }
      this.nodes.push(mark.slice(0, rest));
    }
    return at + mark.length;
  }

  /** Close open marks of a character with up to `size` of them; return how many are left. */
  close(char, size, opens, at) {
    let rest = size;
    const floor = this.floor(at);
    // Marks below the newest ones are looked at too, but not far: else a text of marks only would take quadratic time.
    for (let look = 0; rest > 0 && look < MAX_NESTING; look += 1) {
      const index = this.openMarks.length - 1 - look;
      if (index < floor) break;
      const open = this.openMarks[index];
      if (open.char !== char || !fits(open, size, rest, opens)) continue;
      rest = this.wrap(open, index, rest);
      look = -1;
    }
    return rest;
  }

  /** Marks outside of a bracket are closed inside of it only where the bracket cannot be a link's. */
  floor(at) {
    if (!this.brackets.length) return 0;
    if (this.nextTarget < at) {
      const found = this.text.indexOf("](", at);
      this.nextTarget = found < 0 ? Infinity : found;
    }
    return this.nextTarget === Infinity ? 0 : this.brackets[this.brackets.length - 1].marks;
  }

  wrap(open, index, size) {
    const used = Math.min(open.size, size) >= 2 ? 2 : 1;
    const children = flatten(this.nodes.splice(open.at + 1));
    this.openMarks.length = index;
    this.brackets = this.brackets.filter((bracket) => bracket.at < open.at);
    this.nodes.pop();
    if (open.size > used) {
      this.openMarks.push({ ...open, size: open.size - used });
      this.nodes.push(open.char.repeat(open.size - used));
    }
    this.nodes.push({ type: open.char === "~" ? "del" : used === 2 ? "strong" : "em", children });
    return size - used;
  }

  link(at) {
    const open = this.brackets.pop();
    TARGET.lastIndex = at + 1;
    const target = open && TARGET.exec(this.text);
    const href = target && safeUrl(target[1].replace(/\\([!-/:-@[-`{-~])/g, "$1"));
    if (!href) {
      this.nodes.push("]");
      return at + 1;
    }
    const children = flatten(this.nodes.splice(open.at + 1));
    this.nodes.length = open.at;
    this.openMarks.length = Math.min(this.openMarks.length, open.marks);
    const inner = children.map((node) => (node.type === "link" ? node.children : node)).flat();
    this.nodes.push({ type: "link", href, children: inner.length ? inner : [href] });
    return TARGET.lastIndex;
  }
}

/** Join neighbouring strings, and cut nesting that is too deep to draw. */
function flatten(nodes) {
  const joined = [];
  for (const node of nodes) {
    if (typeof node === "string" && typeof joined[joined.length - 1] === "string") joined[joined.length - 1] += node;
    else joined.push(node);
  }
  return joined.map((node) => (depthOf(node) > MAX_NESTING ? plainText(node) : node));
}

function depthOf(node) {
  if (typeof node === "string" || !node.children) return 0;
  node.depth ??= 1 + Math.max(0, ...node.children.slice(0, 1000).map(depthOf));
  return node.depth;
}

/** The text of an inline node without its form. */
export function plainText(node) {
  if (typeof node === "string") return node;
  return node.text ?? (node.type === "break" ? "\n" : node.children.map(plainText).join(""));
}
