// What the browser's tests look at; evaluated in the page as a whole. Its value is the functions.
({
  /** Texts whose contrast to what is behind them is below 4.5 : 1. */
  lowContrast() {
    const parse = (text) => {
      const found = text.match(/[\d.]+/g).map(Number);
      const scale = text.startsWith("color(") ? 255 : 1;
      return [...found.slice(0, 3).map((part) => part * scale), found[3] ?? 1];
    };
    const light = (colour) => {
      const [r, g, b] = colour.slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour[3] > 0.95) return colour;
      }
      return [255, 255, 255, 1];
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!node.data.trim() || !parent.checkVisibility({ visibilityProperty: true }) || parent.closest(".unseen, option, noscript, script")) continue;
      const [a, b] = [light(parse(getComputedStyle(parent).color)), light(behind(parent))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) low.push(`${node.data.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
    }
    return low;
  },

  /** Elements that a screen reader has no name for. */
  nameless() {
    return [...document.querySelectorAll("button, a, input, select, textarea, [role=region], nav, aside, img")]
      .filter((node) => node.checkVisibility())
      .filter((node) => !(node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") || node.innerText?.trim()
        || node.labels?.length || node.getAttribute("alt") !== null))
      .map((node) => node.outerHTML.slice(0, 120));
  },

  /** Whether anything is wider than its place. */
  overflows() {
    const conversation = document.getElementById("conversation");
    return document.documentElement.scrollWidth > innerWidth || conversation.scrollWidth > conversation.clientWidth;
  },

  /** Whether the conversation stands at its end. */
  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = document.getElementById("conversation");
    return scrollHeight - scrollTop - clientHeight < 5;
  },

  /** Elements in answers that only HTML could have made. */
  made() {
    const tags = "script, img, iframe, object, b, i, u, form, style, svg:not(.icon)";
    return [...document.querySelectorAll(".answer, .detail")].flatMap((node) => [...node.querySelectorAll(tags)]).length;
  },

  /** Open every part of a tree of JSON that is called so; how many there were. */
  async openAll(name) {
    for (let count = 0; ; count += 1) {
      const closed = [...document.querySelectorAll(".answer .branch[aria-expanded=false]")];
      const next = closed.find((branch) => branch.querySelector(".key")?.textContent === name);
      if (!next) return count;
      next.click();
      if (count % 20 === 0) await new Promise(requestAnimationFrame);
    }
  },

  /** The elements of a tree of JSON that is nested so deeply. */
  async deepTree(depth) {
    const { jsonTree, parseExact, pretty } = await import("/_sentient/page/json_tree.js");
    const text = '{"in":'.repeat(depth) + "1" + "}".repeat(depth);
    const tree = jsonTree(parseExact(text), text);
    pretty(parseExact(text));
    document.querySelector("main").append(tree);
    const count = tree.querySelectorAll("*").length;
    tree.remove();
    return count;
  },

  /** Go through the list of entries from its end to its start; the most rows that there were. */
  async scrollThrough() {
    const list = document.getElementById("entries");
    let rows = 0;
    const end = list.scrollHeight;
    for (let step = 40; step >= 0; step -= 1) {
      list.scrollTop = (end * step) / 40;
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      rows = Math.max(rows, document.querySelectorAll(".row").length);
    }
    return rows;
  },
})
