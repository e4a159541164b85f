// To the side that the detector takes, as Pillow does with LANCZOS: rows first, then columns, weights
// in whole numbers of 22 bits, rounded to 8 bits after each. The detector was calibrated on images
// that were resized so; a browser's own scaling gives other pixels, and so another score.

import { CHANNELS, imageOf } from "./pixels.js";

const REACH = 3, BITS = 2 ** 22;

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const lanczos = (x) => (Math.abs(x) < REACH ? sinc(x) * sinc(x / REACH) : 0);

/** For each place of the result: the first place that it is made of, and the weights from there on. */
function weights(from, to) {
  const scale = from / to, stretch = Math.max(scale, 1), reach = REACH * stretch;
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const plain = [];
    for (let at = first; at < last; at++) plain.push(lanczos((at - centre + 0.5) / stretch));
    const total = plain.reduce((sum, weight) => sum + weight, 0);
    const whole = plain.map((weight) => {
      const value = (weight / total) * BITS;
      return Math.trunc(value < 0 ? value - 0.5 : value + 0.5);
    });
    return { first, whole };
  });
}

/** `image` resized along its rows or its columns into `made`; `from` and `to` say how these lie. */
function along(image, made, lines, from, to) {
  weights(from.length, to.length).forEach(({ first, whole }, place) => {
    for (let channel = 0; channel < CHANNELS; channel++) {
      for (let line = 0; line < lines; line++) {
        let at = channel * from.plane + line * from.line + first * from.step, sum = BITS / 2;
        for (const weight of whole) {
          sum += image.data[at] * weight;
          at += from.step;
        }
        const value = Math.floor(sum / BITS);
        made.data[channel * to.plane + line * to.line + place * to.step] =
          Math.min(255, Math.max(0, value));
      }
    }
  });
  return made;
}

const rowsOf = ({ height, width }) => ({ length: width, step: 1, line: width, plane: height * width });
const columnsOf = ({ height, width }) => ({ length: height, step: width, line: 1, plane: height * width });

/** The whole image as a square, whatever its proportions: `fit="stretch"`. */
export function toSquare(image, side) {
  if (image.width !== side) {
    const made = imageOf(image.height, side);
    image = along(image, made, image.height, rowsOf(image), rowsOf(made));
  }
  if (image.height !== side) {
    const made = imageOf(side, image.width);
    image = along(image, made, image.width, columnsOf(image), columnsOf(made));
  }
  return image;
}
