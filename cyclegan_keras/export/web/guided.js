// Gives a translation of a small copy the detail of the picture: fits, around each small pixel, an
// affine map of colors from the small copy to its translation, and applies the maps, interpolated,
// to the whole picture. The same as `inference/guided.py`.

const RADIUS = 2; // Windows of 5 × 5 small pixels.
const RIDGE = 0.01; // Shrinks the maps towards identity where a window has hardly any contrast.

// Means over windows, of fewer pixels at the borders. Planes: Float64Array, row by row: the
// variance of what is nearly flat is the small difference of large numbers.
function windowMeans(plane, width, height) {
  const across = new Float64Array(plane.length);
  const result = new Float64Array(plane.length);
  for (let y = 0; y < height; y++) meansOfLine(plane, across, y * width, 1, width);
  for (let x = 0; x < width; x++) meansOfLine(across, result, x, width, height);
  return result;
}

function meansOfLine(from, to, start, step, length) {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < Math.min(RADIUS, length); i++, count++) sum += from[start + i * step];
  for (let i = 0; i < length; i++) {
    if (i + RADIUS < length) {
      sum += from[start + (i + RADIUS) * step];
      count++;
    }
    if (i - RADIUS > 0) {
      sum -= from[start + (i - RADIUS - 1) * step];
      count--;
    }
    to[start + i * step] = sum / count;
  }
}

// Small and translated: Float32Array in [-1, 1], channels last; the maps: for each small pixel and
// each output channel, its weights of the input channels and an offset.
function fittedMaps(small, translated, width, height, channels) {
  const count = width * height;
  const plane = (value) => Float64Array.from({ length: count }, (_, i) => value(i * channels));
  const mean = (value) => windowMeans(plane(value), width, height);
  const each = Array.from({ length: channels }, (_, c) => c);
  const meanIn = each.map((c) => mean((i) => small[i + c]));
  const change = (i, c) => translated[i + c] - small[i + c];
  const meanChange = each.map((c) => mean((i) => change(i, c)));
  const inIn = each.map((a) =>
    each.map((b) => (b < a ? null : mean((i) => small[i + a] * small[i + b]))),
  );
  const changeIn = each.map((c) => each.map((b) => mean((i) => change(i, c) * small[i + b])));
  const step = channels * (channels + 1);
  const maps = new Float32Array(count * step);
  for (let i = 0; i < count; i++) {
    const covariance = each.map((a) =>
      each.map((b) => {
        const product = inIn[Math.min(a, b)][Math.max(a, b)][i];
        return product - meanIn[a][i] * meanIn[b][i] + (a === b ? RIDGE : 0);
      }),
    );
    const inverse = inverted(covariance);
    for (const c of each) {
      let offset = meanChange[c][i];
      for (const b of each) {
        let weight = 0;
        for (const a of each) {
          weight += (changeIn[c][a][i] - meanChange[c][i] * meanIn[a][i]) * inverse[a][b];
        }
        offset -= weight * meanIn[b][i];
        maps[i * step + c * (channels + 1) + b] = weight + (b === c ? 1 : 0);
      }
      maps[i * step + c * (channels + 1) + channels] = offset;
    }
  }
  return maps;
}

// Of a symmetric matrix with one or three rows.
function inverted(m) {
  if (m.length === 1) return [[1 / m[0][0]]];
  const [[a, b, c], [, d, e], [, , f]] = m;
  const p = d * f - e * e;
  const q = c * e - b * f;
  const r = b * e - c * d;
  const scale = 1 / (a * p + b * q + c * r);
  const s = (b * c - a * e) * scale;
  return [
    [p * scale, q * scale, r * scale],
    [q * scale, (a * f - c * c) * scale, s],
    [r * scale, s, (a * d - b * b) * scale],
  ];
}

// Pixels: of the whole picture, in place. `report` gets the share that is done.
async function applyMaps(maps, smallWidth, smallHeight, picture, report) {
  const { width, height, channels, pixels } = picture;
  const step = channels * (channels + 1);
  const stride = smallWidth * step;
  const rows = placesOf(height, smallHeight);
  const columns = placesOf(width, smallWidth);
  const line = new Float32Array(stride);
  const map = new Float32Array(step);
  const color = new Float32Array(channels);
  for (let y = 0, at = 0; y < height; y++) {
    const top = rows.first[y] * stride;
    const bottom = rows.second[y] * stride;
    const down = rows.share[y];
    for (let i = 0; i < stride; i++) {
      line[i] = maps[top + i] + down * (maps[bottom + i] - maps[top + i]);
    }
    for (let x = 0; x < width; x++, at += channels) {
      const left = columns.first[x] * step;
      const right = columns.second[x] * step;
      const along = columns.share[x];
      for (let i = 0; i < step; i++) map[i] = line[left + i] + along * (line[right + i] - line[left + i]);
      for (let c = 0; c < channels; c++) color[c] = pixels[at + c] / 127.5 - 1;
      for (let c = 0, i = 0; c < channels; c++) {
        let value = 0;
        for (let b = 0; b < channels; b++, i++) value += map[i] * color[b];
        // A clamped array rounds, and cuts off what is beyond black and white.
        pixels[at + c] = (value + map[i++] + 1) * 127.5;
      }
    }
    if (y % 256 === 255) await report(y / height);
  }
}

// Between which two small pixels the center of each pixel is, and how near to the second.
function placesOf(size, smallSize) {
  const first = new Int32Array(size);
  const second = new Int32Array(size);
  const share = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const place = Math.min(Math.max(((i + 0.5) * smallSize) / size - 0.5, 0), smallSize - 1);
    first[i] = Math.floor(place);
    second[i] = Math.min(first[i] + 1, smallSize - 1);
    share[i] = place - first[i];
  }
  return { first, second, share };
}
