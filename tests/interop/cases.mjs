// One head's cases through onnxruntime's JavaScript interface, in Node and in browsers.

const ARRAYS = { int64: BigInt64Array, int32: Int32Array, float32: Float32Array };

/** The line for the table: the worst error, or the reason why there is none. */
export async function answer(ort, document, model) {
  try {
    const session = await ort.InferenceSession.create(model);
    let compared = 0;
    let error = 0;
    for (const { inputs, outputs } of document.cases) {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, it]) => [name, tensor(ort, it)]));
      const found = await session.run(feeds);
      for (const name of Object.keys(found).filter((it) => it in outputs)) {
        compared++;
        error = Math.max(error, difference(outputs[name], found[name]));
      }
    }
    if (compared === 0) throw new Error("no output of transformers'");
    return { head: document.head, error };
  } catch (error) {
    return { head: document.head, reason: String(error.message ?? error) };
  }
}

function tensor(ort, { dtype, shape, data }) {
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
