// transformers.js in Node, on what `--layout transformersjs` writes: its package folder, then the folder of cases. The base
// model answers the cases; three pipelines answer texts, as transformers' own did for tests/fixtures/text.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [packageFolder, cases] = process.argv.slice(2);
const entry = createRequire(join(packageFolder, "package.json")).resolve("@huggingface/transformers");
const { AutoModel, Tensor, env, pipeline } = await import(pathToFileURL(entry));

const layouts = join(dirname(cases), "transformersjs");
env.allowRemoteModels = false;
env.localModelPath = layouts;

const answers = JSON.parse(readFileSync(join(import.meta.dirname, "../fixtures/text/pipelines.json"), "utf8"));

/** The first questions to a bundled model that were asked with these options. */
function asked(task, options) {
  const same = (it) => it.task === task && it.model.startsWith("nezha-tiny") && String(Object.entries(it.options)) === String(Object.entries(options));
  return answers.find(same);
}

/** The largest difference of scores; labels and tokens have to be the same. */
function compare(expected, found, name) {
  if (expected.length !== found.length) throw new Error(`${found.length} answers, expected ${expected.length}`);
  return expected.map((it, i) => {
    if (it[name] !== found[i][name]) throw new Error(`${name} ${found[i][name]}, expected ${it[name]}`);
    return Math.abs(it.score - found[i].score);
  });
}

async function texts(task, head, options, theirs, name) {
  const { inputs, answers } = asked(task, options);
  const run = await pipeline(task, head, { dtype: "fp32" });
  const apart = [];
  for (const [i, text] of inputs.entries()) apart.push(...compare(answers[i], await run(text, theirs), name));
  return Math.max(...apart);
}

async function base(document) {
  const model = await AutoModel.from_pretrained("base", { dtype: "fp32" });
  let worst = 0;
  for (const { inputs, outputs } of document.cases) {
    const ids = Object.entries(inputs).map(([name, it]) => [name, new Tensor("int64", it.data.map(BigInt), it.shape)]);
    const found = (await model(Object.fromEntries(ids))).last_hidden_state.data;
    const expected = outputs.last_hidden_state.data;
    const largest = Math.max(...expected.map(Math.abs));
    worst = Math.max(worst, ...expected.map((it, i) => Math.abs(it - found[i]) / largest));
  }
  return worst;
}

const TASKS = {
  base,
  "masked-lm": () => texts("fill-mask", "masked-lm", { top_k: 3 }, { top_k: 3 }, "token"),
  "sequence-classification": () => texts("text-classification", "sequence-classification", { top_k: null }, { top_k: null }, "label"),
  "token-classification": () => texts("token-classification", "token-classification", { aggregation_strategy: "none" }, { ignore_labels: ["O"] }, "entity"),
};

for (const file of readdirSync(cases).sort()) {
  const document = JSON.parse(readFileSync(join(cases, file), "utf8"));
  const { head } = document;
  if (!(head in TASKS)) {
    console.log(JSON.stringify({ head, skipped: "no class for it" }));
    continue;
  }
  try {
    if (!existsSync(join(layouts, head))) throw new Error(`no ${head} in ${layouts}`);
    const error = await TASKS[head](document);
    console.log(JSON.stringify(Number.isFinite(error) ? { head, error } : { head, reason: "a number that is none" }));
  } catch (error) {
    console.log(JSON.stringify({ head, reason: String(error.message ?? error) }));
  }
}
