// Unit tests of the page's modules that need no browser. Run by node where there is one, else by Chromium: `run(modules)`
// gives the list of what failed.

const tests = [];
const test = (name, body) => tests.push({ name, body });

function same(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a}\n   is not ${b}`);
}

export async function run(modules) {
  const failed = [];
  for (const { name, body } of tests) {
    try {
      await body(modules);
    } catch (error) {
      failed.push(`${name}: ${error.message}`);
    }
  }
  return { passed: tests.length - failed.length, failed };
}

/** Pieces of a text, cut anywhere, always in the same way for a seed. */
function cut(text, seed) {
  const pieces = [];
  let [at, state] = [0, seed];
  while (at < text.length) {
    state = (state * 1103515245 + 12345) % 2147483648;
    const size = 1 + (state % 5);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

// -- clean -----------------------------------------------------------------------------------------------------------

const DIRTY = "a\u001b]0;title\u0007b\u202ec\u001b[31mred\u001b[0m \u200bzero\u{e0041} \ud83d\ude00 x\u2028y \ud800z \u001b(Bq\u009b2Jr\ttab\nline\u0000";
const CLEAN = "abcred zero 😀 x\ny \ufffdz qr\ttab\nline";

test("hidden characters and escape sequences are dropped", ({ clean }) => {
  same(clean.clean(DIRTY), CLEAN);
  same(clean.cleanLine(" one\ntwo\t three "), "one two three");
  same(clean.escapeHidden('{"a": "é\u202eb 😀"}'), '{"a": "é\\u202eb 😀"}');
});

test("a stream is cleaned as the whole is, however it is cut", ({ clean }) => {
  for (let seed = 1; seed < 50; seed += 1) {
    const cleaner = new clean.Cleaner();
    same(cut(DIRTY, seed).map((piece) => cleaner.feed(piece)).join(""), CLEAN);
  }
});

test("an escape sequence without an end does not hide the rest for ever", ({ clean }) => {
  const shown = clean.clean(`\u001b]0;${"x".repeat(10_000)}end`);
  same([shown.length > 5000, shown.endsWith("end")], [true, true]);
});

// -- ULIDs -----------------------------------------------------------------------------------------------------------

test("ULIDs increase, also within a millisecond and when the clock goes back", ({ ulid }) => {
  let now = 1_700_000_000_000;
  const ulids = new ulid.Ulids(() => now, (bytes) => bytes.fill(255));
  const made = Array.from({ length: 500 }, (_, index) => {
    if (index === 200) now -= 5000;
    if (index === 300) now += 10_000;
    return ulids.next();
  });
  same([...made].sort(), made);
  same(new Set(made).size, made.length);
  same(made.every((id) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id)), true);
  same([ulid.ulidTime(made[0]), ulid.ulidTime(made[499]), ulid.ulidTime("no")], [1_700_000_000_000, 1_700_000_005_000, null]);
});

// -- server-sent events ----------------------------------------------------------------------------------------------

test("frames are read, however the stream is cut", ({ sse }) => {
  const stream = ": hello\nid: 1\nevent: A B\ndata: {\"x\":\"ü\"}\n\n:beat\nid: 2\r\nevent: done\r\ndata: a\r\ndata:b\r\n\r\ndata: last\n\nevent: lost\ndata: x";
  const wanted = [
    { id: "1", event: "A B", data: '{"x":"ü"}' },
    { id: "2", event: "done", data: "a\nb" },
    { id: "2", event: "message", data: "last" },
  ];
  for (let seed = 1; seed < 50; seed += 1) {
    const parser = new sse.SseParser();
    same(cut(stream, seed).flatMap((piece) => parser.feed(piece)), wanted);
  }
});

// -- Markdown --------------------------------------------------------------------------------------------------------

const inline = (markdown, text) => markdown.parseInline(text);
const shape = (blocks) => blocks.map(({ start, ...rest }) => ({ ...rest, ...(rest.blocks ? { blocks: shape(rest.blocks) } : {}), ...(rest.items ? { items: rest.items.map(shape) } : {}) }));

test("inline forms", ({ markdown }) => {
  same(inline(markdown, "a **b *c* d** `e*f*` _g_ ~~h~~"), [
    "a ", { type: "strong", children: ["b ", { type: "em", children: ["c"], depth: 1 }, " d"], depth: 2 },
    " ", { type: "code", text: "e*f*" }, " ", { type: "em", children: ["g"], depth: 1 }, " ", { type: "del", children: ["h"], depth: 1 }]);
  const text = (given) => inline(markdown, given).map((node) => (typeof node === "string" ? node : `<${node.type}:${markdown.plainText(node)}>`)).join("");
  same(text("***a***"), "<em:a>");
  same(text("snake_case_name and 5 * 3 * 2"), "snake_case_name and 5 * 3 * 2");
  same(text("**5*3 = 15**"), "<strong:5*3 = 15>");
  same(text("**[0, 1)** and [x] and [a"), "<strong:[0, 1)> and [x] and [a");
  same(text("\\*a\\* \\q `a"), "*a* \\q `a");
  same(text("`` a ` b ``"), "<code:a ` b>");
  same(text("one  \ntwo\nthree"), "one<break:\n>two\nthree");
});

test("links go to http and https only, and to no hidden host", ({ markdown }) => {
  const links = (given) => inline(markdown, given).filter((node) => node.type === "link").map((node) => node.href);
  same(links("[a](https://x.example/b_c_(d)) <https://y.example> https://z.example/q?a=1, and http://w.example."),
    ["https://x.example/b_c_(d)", "https://y.example/", "https://z.example/q?a=1", "http://w.example/"]);
  same(links("[a](javascript:alert(1)) [b](data:text/html,x) [c](//x.example) [d](https://good.example@evil.example) [e](vbscript:x) [f]( JaVaScRiPt:x)"), []);
  same(links("**https://x.example/a** [https://shown.example](https://real.example)"), ["https://real.example/"]);
  same(markdown.safeUrl("https://аррӏе.example/"), "https://xn--80ak6aa92e.example/");
});

test("blocks", ({ markdown }) => {
  same(shape(markdown.parseBlocks("# A\ntext\nmore\n\n---\n> q\n> - r\n\n```js\nx\n")).map((block) => block.type),
    ["heading", "paragraph", "rule", "quote", "code"]);
  same(shape(markdown.parseBlocks("```py\na\n\nb\n```\nafter"))[0], { type: "code", language: "py", text: "a\n\nb", closed: true });
  const [list] = markdown.parseBlocks("1. a\n   - b\n   - c\n2. d\n\n   e");
  same([list.ordered, list.items.length, list.items[0].map((block) => block.type), list.items[1].length], [true, 2, ["paragraph", "list"], 2]);
  const [table] = markdown.parseBlocks("| a | b |\n|---|:-:|\n| `x\\|y` | 2 |\n| 3 |\n\nend");
  same([table.type, table.align, table.rows.length, table.rows[0][0], table.rows[1][1]], ["table", [null, "center"], 2, [{ type: "code", text: "x|y" }], []]);
  same(markdown.parseBlocks("a | b\nno table").map((block) => block.type), ["paragraph"]);
});

test("whatever is written, no word of it is lost", ({ markdown }) => {
  const alphabet = ["a", "b ", "*", "**", "_", "`", "```", "\n", "\n\n", "- ", "1. ", "> ", "# ", "[", "](", ")", "](https://x.test)", "|", "|---|", "~~", "\\", "<", "    ", "!"];
  const words = (nodes) => nodes.map((node) => (typeof node === "string" ? node : markdown.plainText(node))).join("");
  const all = (blocks) => blocks.map((block) => [
    block.inline && words(block.inline), block.text, block.language, block.blocks && all(block.blocks), block.items?.map(all).join(""),
    block.head?.map(words).join(""), block.rows?.flat().map(words).join("")].filter(Boolean).join("")).join("");
  const count = (text) => [...text].filter((char) => char === "a" || char === "b").length;
  let state = 7;
  for (let round = 0; round < 1000; round += 1) {
    let text = "";
    for (let length = state % 30; length >= 0; length -= 1) {
      state = (state * 1103515245 + 12345) % 2147483648;
      text += alphabet[(state >> 8) % alphabet.length];
    }
    const given = text.replaceAll("|---|", "");
    if (given.includes("|") || /`{3}/.test(given)) continue; // cells and words after a fence's language may be cut
    if (count(all(markdown.parseBlocks(given))) !== count(given)) throw new Error(`lost in ${JSON.stringify(given)}`);
  }
});

test("no mark that is repeated leads astray", ({ markdown }) => {
  // With backtracking, or with a search to the end for each mark, this would not come to an end.
  const pieces = ["*a ", "**a", "_a_ ", "[", "](", "[a](https://x.example/ ", "`", "``a`", "`a``b```c", "> ", "- ", "  - ", "|a", "~~", "\\", "<https://", "***", "[*", "1. a\n", "https://a", "- a\n\n", "| a |\n|-|\n", "_a*", "![a]("];
  for (const piece of pieces) {
    for (const end of ["", "\n", "](https://x.example)"]) markdown.parseBlocks(piece.repeat(1500) + end);
  }
});

test("deep nesting is flattened", ({ markdown }) => {
  same(markdown.parseBlocks(`${"> ".repeat(5000)}end`).length, 1);
  same(markdown.parseBlocks(`${"- ".repeat(5000)}end`).length, 1);
  same(markdown.parseInline(`${"*a **b ".repeat(500)}c${"** *".repeat(500)}`).length > 0, true);
});

// -- sessions --------------------------------------------------------------------------------------------------------

class Storage {
  constructor(limit = Infinity) {
    this.map = new Map();
    this.limit = limit;
  }
  get length() { return this.map.size; }
  key(index) { return [...this.map.keys()][index] ?? null; }
  getItem(key) { return this.map.get(key) ?? null; }
  removeItem(key) { this.map.delete(key); }
  setItem(key, value) {
    const size = [...this.map].reduce((sum, [name, text]) => sum + (name === key ? 0 : text.length), value.length);
    if (size > this.limit) throw Object.assign(new Error("full"), { name: "QuotaExceededError" });
    this.map.set(key, value);
  }
}

const sessionsOf = ({ sessions, ulid }, storage, now = () => Date.now()) => new sessions.Sessions(storage, new ulid.Ulids(), now);

test("sessions come back, in the order in which they were used", (modules) => {
  let now = 1000;
  const storage = new Storage();
  const first = sessionsOf(modules, storage, () => (now += 1));
  const [a, b] = [first.create("x"), first.create("x")];
  first.addTurn(a, "  What\nis this? ");
  first.addTurn(b, "Second");
  first.rename(b, "A name");
  first.addTurn(a, "More");
  const again = sessionsOf(modules, storage);
  same(again.list().map(({ title, turns }) => [title, turns.length]), [["What is this?", 2], ["A name", 1]]);
  again.remove(again.list()[0]);
  same(sessionsOf(modules, storage).list().length, 1);
});

test("sessions are bounded, in number and size", (modules) => {
  const storage = new Storage();
  const sessions = sessionsOf(modules, storage);
  for (let index = 0; index < 80; index += 1) sessions.addTurn(sessions.create("x"), `${index} ${"x".repeat(100_000)}`);
  same([storage.length <= 50, sessions.list()[0].turns[0].prompt.length], [true, 20_000]);
  const one = sessions.create("x");
  for (let index = 0; index < 300; index += 1) sessions.addTurn(one, "y".repeat(10_000));
  same([one.turns.length <= 200, JSON.stringify(one).length < 600_000], [true, true]);
});

test("a full storage makes room, and one that fails is done without", (modules) => {
  const storage = new Storage(5000);
  const sessions = sessionsOf(modules, storage);
  for (let index = 0; index < 20; index += 1) sessions.addTurn(sessions.create("x"), "z".repeat(600));
  same([sessions.kept, storage.length > 1, storage.length < 10], [true, true, true]);
  const without = sessionsOf(modules, null);
  without.addTurn(without.create("x"), "hello");
  same([without.kept, without.list().length], [false, 1]);
  const broken = new Storage();
  broken.setItem = () => { throw new Error("denied"); };
  const denied = sessionsOf(modules, broken);
  for (let index = 0; index < 3; index += 1) denied.addTurn(denied.create("x"), "hello");
  same([denied.kept, denied.list().length], [false, 3]);
});

test("what is no session is left out", (modules) => {
  const storage = new Storage();
  for (const [index, value] of ["{", "null", "[]", '{"id":"x","turns":[]}', '{"id":"01JS4F4Z5V0000000000000001","turns":[{"prompt":1},{"prompt":"ok","at":"x"}]}'].entries()) {
    storage.setItem(index === 4 ? "sentient.session.01JS4F4Z5V0000000000000001" : `sentient.session.${index}`, value);
  }
  const sessions = sessionsOf(modules, storage);
  same(sessions.list().map(({ turns }) => turns), [[{ run: null, prompt: "ok", at: 0, outcome: "running" }]]);
});

// -- entries ---------------------------------------------------------------------------------------------------------

const entry = (seq, live = "chat", more = {}) => ({ seq, at: seq * 10, type: "event", raw: `${live}${seq}`, live, ...more });

test("entries of two sources make one log", ({ entries }) => {
  const run = new entries.RunEntries("r");
  for (const seq of [2, 3, 5]) run.add(entry(seq));
  for (const seq of [1, 2, 3, 4, 5]) run.add(entry(seq, "feed", { type: seq === 5 ? "run.finished" : "event", blob: seq === 3 }));
  run.add(entry(4));
  same(run.list.map(({ raw }) => raw), ["feed1", "feed2", "chat3", "feed4", "feed5"]);
  same([run.finished, run.began, run.size], [true, 10, 25]);
});

test("entries are bounded, and the run that is looked at stays", ({ entries }) => {
  const all = new entries.Entries();
  all.pinned = "first";
  all.add("first", [entry(1)]);
  all.add("long", Array.from({ length: 50_000 }, (_, index) => entry(index + 1)));
  same([all.run("long").list.length <= 21_000, all.run("long").dropped + all.run("long").list.length], [true, 50_000]);
  for (let index = 0; index < 8; index += 1) all.add(`r${index}`, Array.from({ length: 10_000 }, (_, seq) => entry(seq + 1)));
  const count = [...all.runs.values()].reduce((sum, run) => sum + run.list.length, 0);
  same([count <= 60_000, all.runs.has("first"), all.runs.has("long")], [true, true, false]);
});

test("an entry is told in one line, whatever it holds", ({ entries }) => {
  same(entries.describe("event", { content_type: "chunked.text", event_name: "A", content: " \n" }).brief, "␣⏎");
  same(entries.describe("run.finished", { outcome: "error" }), { name: "", brief: "error", tone: "error" });
  same(entries.describe("llm.request", { model: "m", call: 1 }).brief, "m");
  for (const odd of [null, 1, "x", [], {}]) entries.describe("event", odd), entries.describe("odd", odd);
});

// -- asking ----------------------------------------------------------------------------------------------------------

function server(script) {
  const calls = [];
  globalThis.fetch = async (path, options = {}) => {
    calls.push([path, options.headers?.["Last-Event-ID"] ?? null]);
    const next = script.shift();
    if (!next) throw new TypeError("refused");
    const [status, text, headers = {}] = next;
    return new Response(status === 204 ? null : text, { status, headers });
  };
  return calls;
}

const frame = (id, event = "A", type = "atomic.textblock") => `id: ${id}\nevent: ${event}\ndata: {"content_type":"${type}","content":"${id}"}\n\n`;
const END = frame(9, "done", "atomic.done");

async function asked({ wire }, script, start = (stream) => stream.ask({})) {
  const calls = server(script);
  const [frames, said] = [[], []];
  const stream = new wire.AnswerStream({ run() {}, answer() {}, status: (text) => said.push(text), frames: (given) => frames.push(...given) });
  const before = globalThis.setTimeout;
  globalThis.setTimeout = (body) => before(body, 0);
  try {
    return { ...(await start(stream)), ids: frames.map(({ id }) => id), calls, said };
  } finally {
    globalThis.setTimeout = before;
  }
}

const RUN = { "Sentient-Run-Id": "run1" };

test("a broken stream is resumed after the last event, and nothing comes twice", async (modules) => {
  const answer = await asked(modules, [
    [200, frame(1) + frame(2) + "id: 3\nevent: A\nda", RUN], [503, "{}"], [200, frame(2) + frame(3)], [200, END]]);
  same([answer.outcome, answer.ids], ["done", ["1", "2", "3", "9"]]);
  same(answer.calls, [["/assist", null], ["/runs/run1/events", "2"], ["/runs/run1/events", "2"], ["/runs/run1/events", "3"]]);
});

test("an event that is called done does not end an answer", async (modules) => {
  const answer = await asked(modules, [[200, frame(1, "done") + frame(2) + END, RUN]]);
  same([answer.outcome, answer.ids, answer.calls.length], ["done", ["1", "2", "9"], 1]);
});

test("what cannot be resumed is lost, and what is not kept is gone", async (modules) => {
  same((await asked(modules, [[200, frame(1)]])).outcome, "lost");
  same((await asked(modules, [])).outcome, "lost");
  same((await asked(modules, [[200, frame(1), RUN]])).outcome, "lost");
  same((await asked(modules, [[404, "{}"]], (stream) => stream.watch("run1"))).outcome, "gone");
  const interrupted = await asked(modules, [[204, ""]], (stream) => stream.watch("run1"));
  same([interrupted.outcome, interrupted.problem.detail], ["lost", "The agent’s process ended in the middle of this answer."]);
  const refused = await asked(modules, [[422, '{"detail":[{"msg":"No prompt"}]}']]);
  same([refused.outcome, refused.problem.detail], ["refused", "No prompt"]);
});

test("events that are not kept any more are passed over", async (modules) => {
  const answer = await asked(modules, [[410, '{"first_seq":7}'], [200, frame(7) + END]], (stream) => stream.watch("run1"));
  same([answer.outcome, answer.ids, answer.calls[1][1]], ["done", ["7", "9"], "6"]);
});

test("a question is what the protocol says", ({ wire, ulid }) => {
  const body = wire.requestBody("hi \ud800", "01JS4F4Z5V0000000000000002", new ulid.Ulids());
  same(Object.keys(body.session), ["processor_id", "activity_id", "request_id", "interactions"]);
  same([body.query.prompt.length, body.session.activity_id, body.query.id < body.session.request_id], [4, "01JS4F4Z5V0000000000000002", true]);
  JSON.parse(JSON.stringify(body));
});

// -- JSON ------------------------------------------------------------------------------------------------------------

test("numbers stay as they were written", ({ json_tree: json }) => {
  let exact = false;
  JSON.parse("1", (_key, value, context) => { exact = Boolean(context?.source); return value; });
  if (!exact) return; // an engine of before 2023
  const value = json.parseExact('{"big":12345678901234567890,"small":1.5,"exp":1e400,"plain":7,"deep":' + "[".repeat(1000) + "]".repeat(1000) + "}");
  same([value.big.text, value.small, value.exp.text, value.plain], ["12345678901234567890", 1.5, "1e400", 7]);
});
