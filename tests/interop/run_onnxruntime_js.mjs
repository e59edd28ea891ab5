// onnxruntime-node and onnxruntime-web, whichever package folder is given; then the folder of cases.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [packageFolder, cases] = process.argv.slice(2);
const ort = createRequire(import.meta.url)(packageFolder);
if (ort.env?.wasm) ort.env.wasm.numThreads = 1;

const ARRAYS = { int64: BigInt64Array, float32: Float32Array };

function tensor({ dtype, shape, data }) {
  const numbers = dtype === "int64" ? data.map(BigInt) : data;
  return new ort.Tensor(dtype, ARRAYS[dtype].from(numbers), shape);
}

function difference(expected, found) {
  if (String(expected.shape) !== String(found.dims)) throw new Error(`shape ${found.dims}, expected ${expected.shape}`);
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const apart = Math.abs(Number(found.data[i]) - expected.data[i]);
    if (!Number.isFinite(apart)) throw new Error("a number that is none");
    worst = Math.max(worst, apart);
    largest = Math.max(largest, Math.abs(expected.data[i]));
  }
  return worst / largest;
}

for (const file of readdirSync(cases).sort()) {
  const document = JSON.parse(readFileSync(join(cases, file), "utf8"));
  const result = { head: document.head };
  try {
    const session = await ort.InferenceSession.create(readFileSync(document.model));
    let compared = 0;
    result.error = 0;
    for (const { inputs, outputs } of document.cases) {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, it]) => [name, tensor(it)]));
      const found = await session.run(feeds);
      for (const name of Object.keys(found).filter((it) => it in outputs)) {
        compared++;
        result.error = Math.max(result.error, difference(outputs[name], found[name]));
      }
    }
    if (compared === 0) throw new Error("no output of transformers'");
  } catch (error) {
    delete result.error;
    result.reason = String(error.message ?? error);
  }
  console.log(JSON.stringify(result));
}
