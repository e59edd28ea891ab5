// How long each form of the attention's Gather takes in onnxruntime-web (wasm, in Node, one thread).
//
//     nezha export CHECKPOINT --head base -o ours && nezha export CHECKPOINT --head base --layout openvino -o flat
//     node benches/forms/web.mjs FOLDER/node_modules/onnxruntime-web ours/model.onnx flat/model.onnx [1x16,1x128]
//
// The models take turns; of each the best of RUNS runs is told in ms.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const RUNS = 5;
const [packageFolder, one, other, shapes = "1x16,1x64,1x128"] = process.argv.slice(2);
const ort = createRequire(import.meta.url)(packageFolder);
ort.env.wasm.numThreads = 1;

const files = [one, other];
const sessions = [];
for (const file of files) sessions.push(await ort.InferenceSession.create(readFileSync(file)));
for (const shape of shapes.split(",")) {
  const [batch, sequence] = shape.split("x").map(Number);
  const ids = (value) => new ort.Tensor("int64", new BigInt64Array(batch * sequence).fill(value), [batch, sequence]);
  const feeds = { input_ids: ids(1000n), attention_mask: ids(1n), token_type_ids: ids(0n) };
  const best = files.map(() => Infinity);
  for (let run = 0; run <= RUNS; run++) {
    for (const [at, session] of sessions.entries()) {
      const begin = performance.now();
      await session.run(feeds);
      // The first run allocates.
      if (run > 0) best[at] = Math.min(best[at], performance.now() - begin);
    }
  }
  console.log(JSON.stringify({ shape, ms: Object.fromEntries(files.map((file, at) => [file, best[at]])) }));
}
