// onnxruntime-web in headless Chromium: its package folder, then the folder of cases. Chromium is CHROMIUM, or the
// system's.

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [packageFolder, cases] = process.argv.slice(2);
const { chromium } = createRequire(packageFolder)("playwright-core");

const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
const PAGE = "<!doctype html><title>cases</title>";
const documents = Object.fromEntries(
  readdirSync(cases).sort().map((file) => [file, JSON.parse(readFileSync(join(cases, file), "utf8"))]),
);

/** What the page may ask for. */
function content(path) {
  const [, kind, name] = path.split("/");
  if (kind === "") return PAGE;
  if (kind === "ort") return readFileSync(join(packageFolder, "dist", name));
  if (kind === "cases.mjs") return readFileSync(join(dirname(fileURLToPath(import.meta.url)), kind));
  if (kind === "case") return JSON.stringify(documents[name]);
  if (kind === "model") return readFileSync(documents[name].model);
  throw new Error(`nothing at ${path}`);
}

const server = createServer((request, response) => {
  try {
    const body = content(request.url);
    response.writeHead(200, { "content-type": TYPES[extname(request.url) || ".html"] ?? "application/octet-stream" });
    response.end(body);
  } catch (error) {
    response.writeHead(404).end(String(error));
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const address = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  const page = await browser.newPage();
  await page.goto(`${address}/`);
  for (const file of Object.keys(documents)) {
    const result = await page.evaluate(async ([address, file]) => {
      const ort = await import(`${address}/ort/ort.wasm.min.mjs`);
      const { answer } = await import(`${address}/cases.mjs`);
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmPaths = `${address}/ort/`;
      const document = await (await fetch(`${address}/case/${file}`)).json();
      const model = new Uint8Array(await (await fetch(`${address}/model/${file}`)).arrayBuffer());
      return answer(ort, document, model);
    }, [address, file]);
    console.log(JSON.stringify(result));
  }
} finally {
  await browser.close();
  server.close();
}
