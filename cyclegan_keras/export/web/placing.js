// How a picture lies in what the network sees of it, as `inference/manner.py` says, and which of its
// levels are black and white.

// As in Python: halves go to the even number.
function rounded(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

// The size of the small copy, that of what the network sees, and where in it the copy begins.
function placed(width, height) {
  const [trainedHeight, trainedWidth] = page.size;
  let copy = [trainedHeight, trainedWidth];
  let whole = copy;
  let start = [0, 0];
  if (page.fit === "crop") {
    const fitting = Math.max(trainedHeight / height, trainedWidth / width);
    // A line of pixels would become a picture of many times as many.
    const scale = Math.min(fitting, page.maxSide / Math.max(height, width));
    copy = [height, width].map((side) => Math.max(1, rounded(side * scale)));
    const isTrained = copy[0] === trainedHeight && copy[1] === trainedWidth;
    const padded = (side) => Math.max(page.least, Math.ceil(side / page.multiple) * page.multiple);
    whole = isTrained ? copy : copy.map(padded);
  } else if (page.fit === "pad") {
    const scale = Math.min(trainedHeight / height, trainedWidth / width);
    const side = (own, most) => Math.min(most, Math.max(1, rounded(own * scale)));
    copy = [side(height, trainedHeight), side(width, trainedWidth)];
    start = copy.map((own, axis) => Math.floor((whole[axis] - own) / 2));
  }
  return { copy, whole, start };
}

// Mirrors a picture around itself: by `pad`, without repeating the pixels at its edges; by `crop`,
// with them, where it is only filled up to a size that the network can halve.
function mirrored(values, { copy, whole, start }, channels) {
  if (copy[0] === whole[0] && copy[1] === whole[1]) return values;
  const places = [0, 1].map((axis) => {
    const length = copy[axis];
    const repeats = page.fit === "crop" ? 1 : 0;
    const period = 2 * (length - 1 + repeats) || 1;
    return Int32Array.from({ length: whole[axis] }, (_, i) => {
      const place = (((i - start[axis]) % period) + period) % period;
      return place < length ? place : period - repeats - place;
    });
  });
  const result = new Float32Array(whole[0] * whole[1] * channels);
  let to = 0;
  for (const row of places[0]) {
    for (const column of places[1]) {
      const from = (row * copy[1] + column) * channels;
      for (let c = 0; c < channels; c++) result[to++] = values[from + c];
    }
  }
  return result;
}

function inner(values, { copy, whole, start }, channels) {
  if (copy[0] === whole[0] && copy[1] === whole[1]) return values;
  const result = new Float32Array(copy[0] * copy[1] * channels);
  const line = copy[1] * channels;
  for (let y = 0; y < copy[0]; y++) {
    const from = ((y + start[0]) * whole[1] + start[1]) * channels;
    result.set(values.subarray(from, from + line), y * line);
  }
  return result;
}

// What a level of 8 bits is worth in the numbers of the file: browsers keep 8 of 16 bits.
async function unitOf(file) {
  const head = new Uint8Array(await file.slice(0, 25).arrayBuffer());
  const isPng = [137, 80, 78, 71].every((byte, i) => head[i] === byte);
  return isPng && head[24] === 16 ? 257 : 1;
}

// For each level of a picture, the level that the network takes it for.
function levelsIn(range, unit) {
  if (!range) return null;
  const [low, high] = range;
  const most = 255 * unit;
  if ((Math.min(high, most) - Math.max(low, 0)) / (high - low) < 0.25) {
    throw new Error(
      `This picture's numbers can be 0 to ${most}, and the networks are for ${low} to ${high}.`,
    );
  }
  return Uint8ClampedArray.from({ length: 256 }, (_, level) =>
    rounded((255 * (level * unit - low)) / (high - low)),
  );
}

// For each level that the network gives, the level of the translation. A range that the file's type
// cannot hold is not kept.
function levelsOut(range, unit) {
  if (!range || range[0] < -0.5 || range[1] > 255 * unit + 0.5) return null;
  const [low, high] = range;
  return Uint8ClampedArray.from({ length: 256 }, (_, level) =>
    rounded((low + (level / 255) * (high - low)) / unit),
  );
}

// Replaces the colors of RGBA, in place.
function exchange(data, levels) {
  if (!levels) return;
  for (let i = 0; i < data.length; i += 4) {
    for (let c = i; c < i + 3; c++) data[c] = levels[data[c]];
  }
}
