// What is done about a cut, as in nda.negatives.feather and nda.negatives.poisson.

import { CHANNELS, copyOf, pixelByPixel, rounded } from "./pixels.js";

/** A position folded into 0 to size - 1, as between two mirrors on the border pixels. */
function reflected(position, size) {
  const period = Math.max(1, 2 * (size - 1)), within = ((position % period) + period) % period;
  return Math.min(within, period - within);
}

/** Whether a pixel lies within `width` of a place where `label` changes, at a right angle to it. */
export function near(label, height, width, reach) {
  const found = new Uint8Array(height * width);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      if (row + 1 < height && label[at] !== label[at + width])
        for (let k = Math.max(0, row + 1 - reach); k < Math.min(height, row + 1 + reach); k++)
          found[k * width + column] = 1;
      if (column + 1 < width && label[at] !== label[at + 1])
        for (let k = Math.max(0, column + 1 - reach); k < Math.min(width, column + 1 + reach); k++)
          found[row * width + k] = 1;
    }
  return found;
}

/** Values of planes (any of `count` planes) under a triangular kernel of 2 × reach + 1 taps each way. */
function blurred(values, height, width, reach) {
  const along = (values, length, step, lines, line) => {
    const made = new Float64Array(values.length), plane = height * width;
    for (let channel = 0; channel < values.length / plane; channel++)
      for (let other = 0; other < lines; other++)
        for (let place = 0; place < length; place++) {
          const start = channel * plane + other * line;
          let sum = 0;
          for (let k = -reach; k <= reach; k++)
            sum += (reach + 1 - Math.abs(k)) * values[start + reflected(place + k, length) * step];
          made[start + place * step] = sum;
        }
    return made;
  };
  const rows = along(values, width, 1, height, width);
  return along(rows, height, width, width, 1).map((sum) => sum / (reach + 1) ** 4);
}

/** `image`, or `values` not rounded yet, blurred where `mask` is 1. */
export function feather(image, mask, reach, values = image.data) {
  const soft = blurred(values, image.height, image.width, reach), size = mask.length;
  return pixelByPixel(image.height, image.width, (at) =>
    rounded(mask[at % size] ? soft[at] : values[at]));
}

/** `other` where `inside` is 1, else `image`, and no step between the two. */
export function blendPatch(image, other, inside) {
  const { height, width, data } = image, size = height * width;
  const apart = Float64Array.from(data, (value, at) => other.data[at] - value);
  const hard = Float64Array.from(data, (value, at) => (inside[at % size] ? other.data[at] : value));
  const wished = (step) => (at) =>
    (apart[at + step] + apart[at]) * (inside[(at % size) + step] - inside[at % size]) * -0.5;
  return corrected(hard, height, width, wished(width), wished(1));
}

/** A rearrangement of `image` (`source[at]` is where a pixel comes from), every step across a cut
 *  replaced by the gradient with which the upper or left piece ran on: none at the border. */
export function blendPieces(image, source) {
  const { height, width, data } = image, size = height * width;
  const hard = Float64Array.from(data, (_, at) => data[at - (at % size) + source[at % size]]);
  const wished = (step, last) => (at) => {
    const from = source[at % size], there = at - (at % size) + from;
    const runsOn = last(from) ? 0 : data[there + step] - data[there];
    return runsOn - (hard[at + step] - hard[at]);
  };
  const lowest = (from) => from >= size - width, rightmost = (from) => from % width === width - 1;
  return corrected(hard, height, width, wished(width, lowest), wished(1, rightmost));
}

/** `hard` with its differences down and across changed by what is wished for, within its own range. */
function corrected(hard, height, width, down, across) {
  const size = height * width, surplus = new Float64Array(hard.length);
  for (let at = 0; at < hard.length; at++) {
    const row = Math.floor((at % size) / width), column = at % width;
    const move = (step, amount) => {
      surplus[at] += amount;
      surplus[at + step] -= amount;
    };
    if (row + 1 < height) move(width, down(at));
    if (column + 1 < width) move(1, across(at));
  }
  let lowest = 255, highest = 0;
  for (const value of hard) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  const correction = potential(surplus, height, width);
  return pixelByPixel(height, width, (at) =>
    rounded(Math.min(highest, Math.max(lowest, hard[at] + correction[at]))));
}

/** The planes of mean 0 whose Laplacian is `surplus`, borders free, by cosine transforms. */
function potential(surplus, height, width) {
  const rows = cosines(height), columns = cosines(width), size = height * width;
  const solved = new Float64Array(surplus.length);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const plane = surplus.subarray(channel * size, (channel + 1) * size);
    const spectrum = transformed(plane, rows, columns, height, width, false);
    for (let down = 0; down < height; down++)
      for (let across = 0; across < width; across++) {
        const value =
          Math.sin((down * Math.PI) / (2 * height)) ** 2 + Math.sin((across * Math.PI) / (2 * width)) ** 2;
        spectrum[down * width + across] *= value === 0 ? 0 : -0.25 / value;
      }
    solved.set(transformed(spectrum, rows, columns, height, width, true), channel * size);
  }
  return solved;
}

/** The orthonormal cosine transform of a side, a row a frequency. */
function cosines(size) {
  const matrix = new Float64Array(size * size);
  for (let k = 0; k < size; k++)
    for (let place = 0; place < size; place++)
      matrix[k * size + place] =
        k === 0 ? Math.sqrt(1 / size)
          : Math.cos(((k * (2 * place + 1)) * Math.PI) / (2 * size)) * Math.sqrt(2 / size);
  return matrix;
}

/** rows · plane · columnsᵀ, or back again: rowsᵀ · plane · columns. */
function transformed(plane, rows, columns, height, width, back) {
  const half = new Float64Array(height * width), whole = new Float64Array(height * width);
  for (let row = 0; row < height; row++)
    for (let to = 0; to < width; to++) {
      let sum = 0;
      for (let from = 0; from < width; from++)
        sum += plane[row * width + from] * columns[back ? from * width + to : to * width + from];
      half[row * width + to] = sum;
    }
  for (let to = 0; to < height; to++)
    for (let from = 0; from < height; from++) {
      const weight = rows[back ? from * height + to : to * height + from];
      for (let column = 0; column < width; column++)
        whole[to * width + column] += weight * half[from * width + column];
    }
  return whole;
}

/** The pixels from elsewhere: pixel `at` of a plane is pixel `source[at]` of it. */
export function moved(image, source) {
  const size = source.length, made = copyOf(image);
  for (let at = 0; at < made.data.length; at++)
    made.data[at] = image.data[at - (at % size) + source[at % size]];
  return made;
}
