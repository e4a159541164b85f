// The detector as ONNX in WebAssembly, in this page and with one thread: no server, no other host.

const here = (file) => new URL(file, import.meta.url);

async function fetched(file) {
  const answer = await fetch(here(file));
  if (!answer.ok) throw new Error(`${file} is not there (${answer.status})`);
  return answer;
}

/** Scores images of the side that it was trained at; one call at a time, in their order. */
export class Detector {
  constructor(runtime, session, about) {
    Object.assign(this, { runtime, session, ...about });
    this.last = Promise.resolve();
  }

  static async load() {
    const [runtime, wasm, model, about] = await Promise.all([
      import(here("onnxruntime-web/ort.js")),
      fetched("onnxruntime-web/ort.wasm").then((answer) => answer.arrayBuffer()),
      fetched("made/detector.onnx").then((answer) => answer.arrayBuffer()),
      fetched("made/about.json").then((answer) => answer.json()),
    ]);
    // Given as bytes, so that it does not matter how a host names their type; more threads would need
    // headers that isolate the page.
    Object.assign(runtime.env.wasm, { numThreads: 1, wasmBinary: wasm });
    const session = await runtime.InferenceSession.create(new Uint8Array(model), {
      executionProviders: ["wasm"],
    });
    return new Detector(runtime, session, about);
  }

  /** For each image its `score`, `p`, `flagged`, and `map` of `places` × `places` values. */
  score(images) {
    const result = this.last.then(() => this.run(images));
    this.last = result.catch(() => {});  // a run of the runtime may not begin within another
    return result;
  }

  async run(images) {
    const each = images[0].data.length, pixels = new Uint8Array(images.length * each);
    images.forEach((image, k) => pixels.set(image.data, k * each));
    const shape = [images.length, 3, this.side, this.side];
    const given = { images: new this.runtime.Tensor("uint8", pixels, shape) };
    const { scores, p_values: rarity, maps } = await this.session.run(given);
    const places = maps.dims[1], size = places * places;
    return images.map((_, k) => ({
      score: scores.data[k],
      p: rarity.data[k],
      flagged: rarity.data[k] <= this.rate + 1e-9,
      map: maps.data.slice(k * size, (k + 1) * size),
      places,
    }));
  }
}
