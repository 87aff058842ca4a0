// Runs page_unit.js in node, over the modules in the directory that is named.

import { readdirSync } from "node:fs";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= (await import("node:crypto")).webcrypto;
const [directory, tests] = process.argv.slice(2);
const wanted = ["clean", "ulid", "sse", "markdown", "sessions", "entries", "wire", "json_tree"];
const modules = {};
for (const file of readdirSync(directory)) {
  const name = file.replace(/\.js$/, "");
  if (wanted.includes(name)) modules[name] = await import(pathToFileURL(`${directory}/${file}`));
}
const { run } = await import(pathToFileURL(tests));
console.log(JSON.stringify(await run(modules)));
