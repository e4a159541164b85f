// nda.Blemish in JavaScript: a box or a stain of texture from elsewhere, faded and relit.

import { insideBox, pixelByPixel, rounded } from "./pixels.js";
import { feather, near } from "./seams.js";

const WAVES = 12, FREQUENCY = [1.5, 12], STRETCH = [0.4, 2.5];  // of a stain's outline
const AREA = [0.01, 0.1], NEAREST = 1 / 8, FAINTEST = 0.3, LIGHT = [-0.5, 0.2], FEWEST = 2;

/** The `area` of an image where the field that cosines sum to is highest. */
function stained({ height, width }, waves, area) {
  const field = new Float64Array(height * width), turn = 2 * Math.PI;
  for (const [down, across, phase] of waves)
    for (let row = 0, at = 0; row < height; row++)
      for (let column = 0; column < width; column++, at++)
        field[at] += Math.cos(turn * (down * (row + 0.5) / height + across * (column + 0.5) / width) + phase);
  const count = Math.max(2 * FEWEST, Math.ceil(area * field.length));
  const least = Float64Array.from(field).sort()[field.length - count];
  return Uint8Array.from(field, (value) => (value >= least ? 1 : 0));
}

function drawWaves(draws) {
  const highest = draws.logUniform(...FREQUENCY), stretch = draws.logUniform(...STRETCH);
  return Array.from({ length: WAVES }, () => {
    const speed = highest * Math.sqrt(draws.share()), way = draws.uniform(0, 2 * Math.PI);
    return [speed * Math.sin(way) * stretch, speed * Math.cos(way) / stretch, draws.uniform(0, 2 * Math.PI)];
  });
}

export const blemish = {
  says: "Texture from elsewhere, as a fault.",
  mixes: true,
  controls: {
    low: { kind: "range", min: 0.03, max: 0.5, step: 0.01, value: 0.03, label: "of the side, at least" },
    high: { kind: "range", min: 0.05, max: 0.8, step: 0.01, value: 0.4, label: "at most" },
    seam: { kind: "choice", values: ["hard", "feather"], value: "hard", label: "of the cut" },
    width: {
      kind: "range", min: 1, max: 8, step: 1, value: 3, label: "blur in pixels",
      shown: (settings) => settings.seam === "feather",
    },
  },
  draw(draws, image, { low, high }) {
    const box = [0, 0, 0, 0], shift = [];
    [image.height, image.width].forEach((size, k) => {
      const length = Math.max(FEWEST, Math.round(draws.logUniform(low, high) * size));
      box[k] = draws.whole(0, size - length);
      box[k + 2] = length;
      const nearest = Math.ceil(NEAREST * size);
      shift.push(draws.whole(nearest, size - nearest));
    });
    return {
      box, shift, stain: draws.coin(), own: draws.coin(), waves: drawWaves(draws),
      area: draws.uniform(...AREA), light: draws.uniform(...LIGHT), cover: draws.uniform(FAINTEST, 1),
    };
  },
  replay(image, params, settings, partner) {
    const { height, width, data } = image, size = height * width, { light, cover } = params;
    const shape = params.stain ? stained(image, params.waves, params.area) : insideBox(image, params.box);
    const texture = (params.own ? image : partner).data, [down, across] = params.shift;
    const end = light < 0 ? 0 : 255, wrapped = (place, side) => ((place % side) + side) % side;
    const values = Float64Array.from(data, (value, at) => {
      const here = at % size;
      if (!shape[here]) return value;
      const row = wrapped(Math.floor(here / width) - down, height);
      const there = texture[at - here + row * width + wrapped((here % width) - across, width)];
      return value + cover * (there + Math.abs(light) * (end - there) - value);
    });
    if (settings.seam === "hard") return pixelByPixel(height, width, (at) => rounded(values[at]));
    return feather(image, near(shape, height, width, settings.width), settings.width, values);
  },
};
