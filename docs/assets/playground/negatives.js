// The negatives of nda in JavaScript, one image at a time: `draw(draws, image, settings)` gives
// parameters by the names that they have in Python, `replay(image, params, settings, partner)` applies
// them. The suite compares each with Python's on the same parameters (tests/test_playground.py).

import { blemish } from "./blemish.js";
import { insideBox, pixelByPixel, rounded } from "./pixels.js";
import { blendPatch, blendPieces, feather, moved, near } from "./seams.js";

const GRIDS = [2, 3, 4, 6, 8];
const seam = { kind: "choice", values: ["hard", "feather", "poisson"], value: "hard", label: "of the cut" };
const width = {
  kind: "range", min: 1, max: 8, step: 1, value: 3, label: "blur in pixels",
  shown: (settings) => settings.seam === "feather",
};
const share = (value, label) => ({ kind: "range", min: 0.05, max: 0.95, step: 0.05, value, label });
const sides = { low: share(0.35, "of the side, at least"), high: share(0.5, "at most") };

/** A box of `low` to `high` times the sides, anywhere: top, left, height, width. */
export function drawBox(draws, { height, width }, { low, high }) {
  const places = [], lengths = [];
  for (const size of [height, width]) {
    const shortest = Math.max(1, Math.ceil(low * size - 1e-9));
    const length = draws.whole(shortest, Math.max(shortest, Math.floor(high * size + 1e-9)));
    places.push(draws.whole(0, size - length));
    lengths.push(length);
  }
  return [...places, ...lengths];
}

/** The partner's pixels where `inside` is 1, the cut as the settings say. */
function laid(image, partner, inside, settings) {
  if (settings.seam === "poisson") return blendPatch(image, partner, inside);
  const { height, width } = image, size = height * width;
  const hard = pixelByPixel(height, width, (at) => (inside[at % size] ? partner : image).data[at]);
  if (settings.seam === "hard") return hard;
  return feather(hard, near(inside, height, width, settings.width), settings.width);
}

const jigsaw = {
  says: "Tiles in another order.",
  controls: { grid: { kind: "choice", values: GRIDS, value: 2, label: "tiles along a side" }, seam, width },
  draw: (draws, _, { grid }) => ({ permutation: draws.order(grid ** 2) }),
  replay(image, { permutation }, settings) {
    const { height, width } = image, { grid } = settings;
    const tall = height / grid, wide = width / grid;
    const place = new Uint16Array(height * width), source = new Uint32Array(height * width);
    for (let row = 0, at = 0; row < height; row++)
      for (let column = 0; column < width; column++, at++) {
        place[at] = Math.floor(row / tall) * grid + Math.floor(column / wide);
        const tile = permutation[place[at]];
        const down = Math.floor(tile / grid) * tall + (row % tall);
        source[at] = down * width + (tile % grid) * wide + (column % wide);
      }
    if (settings.seam === "poisson") return blendPieces(image, source);
    const hard = moved(image, source);
    if (settings.seam === "hard") return hard;
    return feather(hard, near(place, height, width, settings.width), settings.width);
  },
};

const stitch = {
  says: "Half of another image.",
  mixes: true,
  controls: { seam, width },
  draw: (draws) => ({ upright: draws.coin() }),
  replay(image, { upright }, settings, partner) {
    const { height, width } = image;
    const half = upright ? [0, width / 2, height, width / 2] : [height / 2, 0, height / 2, width];
    return laid(image, partner, insideBox(image, half), settings);
  },
};

const cutout = {
  says: "A box of its own mean colour.",
  controls: sides,
  draw: (draws, image, settings) => ({ box: drawBox(draws, image, settings) }),
  replay(image, { box }) {
    const { height, width, data } = image, size = height * width, inside = insideBox(image, box);
    const sums = [0, 0, 0];
    data.forEach((value, at) => (sums[Math.floor(at / size)] += inside[at % size] * value));
    const means = sums.map((sum) => rounded(sum / (box[2] * box[3])));
    return pixelByPixel(height, width, (at) =>
      inside[at % size] ? means[Math.floor(at / size)] : data[at]);
  },
};

const cutmix = {
  says: "A box of another image.",
  mixes: true,
  controls: { ...sides, seam, width },
  draw: (draws, image, settings) => ({ box: drawBox(draws, image, settings) }),
  replay: (image, { box }, settings, partner) => laid(image, partner, insideBox(image, box), settings),
};

const mixup = {
  says: "Two images, one over the other.",
  mixes: true,
  controls: { alpha: { kind: "range", min: 1, max: 50, step: 1, value: 25, label: "how evenly" } },
  draw: (draws, _, { alpha }) => ({ weight: Math.min(1 - 1e-6, Math.max(1e-6, draws.beta(alpha))) }),
  replay: (image, { weight }, _, partner) =>
    pixelByPixel(image.height, image.width, (at) =>
      rounded(weight * image.data[at] + (1 - weight) * partner.data[at])),
};

const gaussianNoise = {
  says: "A control: noise leaves the structure.",
  controls: { std: { kind: "range", min: 0.02, max: 0.5, step: 0.02, value: 0.1, label: "deviation" } },
  draw: (draws, image) => ({ noise: Float32Array.from(image.data, () => draws.normal()) }),
  replay: (image, { noise }, { std }) =>
    pixelByPixel(image.height, image.width, (at) => rounded(image.data[at] + noise[at] * std * 127.5)),
};

const horizontalFlip = {
  says: "A control: the mirror image.",
  controls: {},
  draw: () => ({}),
  replay: (image) =>
    pixelByPixel(image.height, image.width, (at, _, column) => image.data[at + image.width - 1 - 2 * column]),
};

export const NEGATIVES = {
  jigsaw, stitch, cutout, cutmix, mixup, blemish,
  gaussian_noise: gaussianNoise, horizontal_flip: horizontalFlip,
};

/** The settings of a negative before anyone has changed them. */
export const defaults = ({ controls }) =>
  Object.fromEntries(Object.entries(controls).map(([name, { value }]) => [name, value]));

/** What the command line and `nda.negative_from_name` take: the name with what is in use. */
export function written(name, settings) {
  const { controls } = NEGATIVES[name];
  const given = Object.entries(settings)
    .filter(([setting]) => controls[setting].shown?.(settings) ?? true)
    .map(([setting, value]) => `${setting}=${value}`);
  return given.length ? `${name}:${given.join(",")}` : name;
}
