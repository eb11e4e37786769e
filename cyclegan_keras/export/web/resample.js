// Resizes pictures as Pillow does (bicubic, antialiased, in integers), so that a network gets the
// same input here as in Python. A browser's own scaling differs by several levels.

const PRECISION = 22;

function bicubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// For each output pixel: where its input pixels begin, how many they are, and their weights.
function weightsFor(from, to) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = 2 * stretch;
  const size = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Int32Array(to * size);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(from, Math.trunc(center + support + 0.5)) - start;
    const row = new Float64Array(count);
    let total = 0;
    for (let k = 0; k < count; k++) {
      row[k] = bicubic((k + start - center + 0.5) / stretch);
      total += row[k];
    }
    for (let k = 0; k < count; k++) {
      const weight = (row[k] / total) * (1 << PRECISION);
      weights[i * size + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, size };
}

// Along rows first, as all versions of Pillow do for nearly square pictures.
// Picture: { width, height, channels, pixels: Uint8ClampedArray }, row by row.
function resized(picture, width, height) {
  let { pixels } = picture;
  const { channels } = picture;
  if (picture.width !== width) {
    pixels = horizontally(pixels, picture.width, picture.height, channels, width);
  }
  if (picture.height !== height) {
    pixels = vertically(pixels, width * channels, picture.height, height);
  }
  return { width, height, channels, pixels };
}

function horizontally(pixels, from, rows, channels, to) {
  const { starts, counts, weights, size } = weightsFor(from, to);
  const result = new Uint8ClampedArray(to * rows * channels);
  for (let y = 0, place = 0; y < rows; y++) {
    const line = y * from * channels;
    for (let x = 0; x < to; x++) {
      const first = line + starts[x] * channels;
      for (let c = 0; c < channels; c++, place++) {
        let sum = 1 << (PRECISION - 1);
        for (let k = 0, at = first + c; k < counts[x]; k++, at += channels) {
          sum += pixels[at] * weights[x * size + k];
        }
        result[place] = sum >> PRECISION;
      }
    }
  }
  return result;
}

function vertically(pixels, stride, from, to) {
  const { starts, counts, weights, size } = weightsFor(from, to);
  const result = new Uint8ClampedArray(stride * to);
  const sums = new Int32Array(stride);
  for (let y = 0; y < to; y++) {
    sums.fill(1 << (PRECISION - 1));
    for (let k = 0; k < counts[y]; k++) {
      const weight = weights[y * size + k];
      const line = (starts[y] + k) * stride;
      for (let x = 0; x < stride; x++) sums[x] += pixels[line + x] * weight;
    }
    for (let x = 0; x < stride; x++) result[y * stride + x] = sums[x] >> PRECISION;
  }
  return result;
}
