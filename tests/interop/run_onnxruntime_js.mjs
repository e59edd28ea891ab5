// onnxruntime-node and onnxruntime-web in Node, whichever package folder is given; then the folder of cases.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { answer } from "./cases.mjs";

const [packageFolder, cases] = process.argv.slice(2);
const ort = createRequire(import.meta.url)(packageFolder);
if (ort.env?.wasm) ort.env.wasm.numThreads = 1;

for (const file of readdirSync(cases).sort()) {
  const document = JSON.parse(readFileSync(join(cases, file), "utf8"));
  console.log(JSON.stringify(await answer(ort, document, readFileSync(document.model))));
}
