// Runs page_unit.js in node, over the modules in the directory that is named.

import { readdirSync } from "node:fs";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= (await import("node:crypto")).webcrypto;
const [directory, tests] = process.argv.slice(2);
const modules = {};
for (const file of readdirSync(directory).filter((name) => name.endsWith(".js"))) {
  try {
    modules[file.slice(0, -3)] = await import(pathToFileURL(`${directory}/${file}`));
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error; // those need a browser's objects; their syntax is right
  }
}
const { run } = await import(pathToFileURL(tests));
console.log(JSON.stringify(await run(modules)));
