// Translates pictures in a thread of its own, so that the page stays responsive. What comes before
// this in the same script: onnxruntime-web as `ort`, and the functions of `resample.js`, `guided.js`
// and `placing.js`.

let page; // { runtime, models, size: [height, width], channels, fit, ranges, … }
const sessions = {};

async function unpacked(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function sessionOf(way) {
  if (!ort.env.wasm.wasmBinary) {
    ort.env.wasm.numThreads = 1; // More need headers that a file has not.
    ort.env.wasm.wasmBinary = await unpacked(page.runtime);
    page.runtime = null;
  }
  if (!sessions[way]) {
    sessions[way] = await ort.InferenceSession.create(await unpacked(page.models[way]), {
      executionProviders: ["wasm"],
    });
  }
  return sessions[way];
}

async function pictureOf(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" });
  } catch {
    throw new Error("This file is not a picture that your browser can read, or it is damaged.");
  }
  const { width, height } = bitmap;
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } catch {
    throw new Error(
      `This picture has ${width} × ${height} pixels, too many for the memory of this browser.`,
    );
  } finally {
    bitmap.close();
  }
}

// The colors on white, as the network sees them: RGB, or gray by luma for networks of one channel.
function colorsOf(image, channels) {
  const { width, height, data } = image;
  const pixels = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const alpha = data[from + 3];
    for (let c = 0; c < 3; c++) {
      pixels[to + c] =
        alpha === 255 ? data[from + c] : (data[from + c] * alpha + 255 * (255 - alpha)) / 255;
    }
  }
  const picture = { width, height, channels: 3, pixels };
  return channels === 3 ? picture : inGray(picture);
}

function inGray({ width, height, pixels }) {
  const gray = new Uint8ClampedArray(width * height);
  for (let i = 0, at = 0; i < gray.length; i++, at += 3) {
    gray[i] = (pixels[at] * 19595 + pixels[at + 1] * 38470 + pixels[at + 2] * 7471 + 0x8000) >> 16;
  }
  return { width, height, channels: 1, pixels: gray };
}

async function run(way, input, width, height) {
  const session = await sessionOf(way);
  const shape = [1, height, width, page.channels];
  const { translation } = await session.run({ image: new ort.Tensor("float32", input, shape) });
  const values = translation.data.slice();
  translation.dispose();
  if (!values.every(Number.isFinite)) throw new Error("The network made numbers that are no colors.");
  return values;
}

async function translated(way, file, report) {
  await report("reading", 0);
  const image = await pictureOf(file);
  const [source, target] = page.ranges[way] ?? [null, null];
  const unit = source || target ? await unitOf(file) : 1;
  exchange(image.data, levelsIn(source, unit));
  const picture = colorsOf(image, page.channels);
  const { width, height } = picture;
  const place = placed(width, height);
  const [smallHeight, smallWidth] = place.copy;
  const small = resized(picture, smallWidth, smallHeight);
  const input = Float32Array.from(small.pixels, (level) => level / 127.5 - 1);
  await report("translating", 0.1);
  const seen = mirrored(input, place, page.channels);
  const output = inner(await run(way, seen, place.whole[1], place.whole[0]), place, page.channels);
  await report("detail", 0.5);
  let result;
  if (height > smallHeight || width > smallWidth) {
    const maps = fittedMaps(input, output, smallWidth, smallHeight, page.channels);
    await applyMaps(maps, smallWidth, smallHeight, picture, (share) =>
      report("detail", 0.5 + 0.4 * share),
    );
    result = picture;
  } else {
    small.pixels = Uint8ClampedArray.from(output, (value) => (value + 1) * 127.5);
    result = resized(small, width, height);
  }
  putColors(result, image);
  exchange(image.data, levelsOut(target, unit));
  await report("writing", 0.9);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

// Replaces the colors of an image and keeps its transparency.
function putColors({ channels, pixels }, { data }) {
  for (let to = 0, from = 0; to < data.length; to += 4, from += channels) {
    for (let c = 0; c < 3; c++) data[to + c] = pixels[from + (channels === 3 ? c : 0)];
  }
}

async function answer({ id, way, file }) {
  const report = async (stage, share) => postMessage({ id, stage, share });
  try {
    postMessage({ id, blob: await translated(way, file, report) });
  } catch (error) {
    postMessage({ id, error: error?.message ?? String(error) });
  }
}

// One after the other: messages may come faster than pictures are translated.
let last = Promise.resolve();
onmessage = ({ data }) => {
  if (data.page) page = data.page;
  else last = last.then(() => answer(data));
};
