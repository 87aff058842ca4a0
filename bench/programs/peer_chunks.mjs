// Reads streamed answers with Vercel's AI SDK. Part of `bench.llm_chunks`, and what `peer_chunks.py` is in Python.
//
// Arguments: where its packages are, and where the server is. Each line that it is sent has how many answers to read
// and how many at once; each line that it gives back has the CPU time a chunk in microseconds.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const CHUNKS = 500;
const [folder, url] = process.argv.slice(2);
const installed = createRequire(`${folder}/package.json`);
const load = (name) => import(pathToFileURL(installed.resolve(name)).href);
const { streamText } = await load("ai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");

const provider = createOpenAICompatible({ name: "peer", baseURL: url, apiKey: "sk-1" });
const model = provider("small-1");

async function read() {
  let texts = 0;
  for await (const text of streamText({ model, prompt: "Count.", maxRetries: 0 }).textStream) {
    texts += text ? 1 : 0;
  }
  if (texts !== CHUNKS) throw new Error(`${texts} chunks`);
}

async function measure(answers, atOnce) {
  const before = process.cpuUsage();
  for (let round = 0; round < Math.floor(answers / atOnce); round++) {
    await Promise.all(Array.from({ length: atOnce }, read));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (Math.floor(answers / atOnce) * atOnce * CHUNKS);
}

// As long as its Python counterparts need for their first answer, the compiler of V8 needs for some more.
for (let round = 0; round < 4; round++) await read();
for await (const line of createInterface({ input: process.stdin })) {
  const [answers, atOnce] = line.split(" ").map(Number);
  console.log((await measure(answers, atOnce)).toFixed(3));
}
