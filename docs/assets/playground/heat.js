// Heat over an image, as in nda.report.pictures.heat: yellow to red where it is not normal.

import { pixelByPixel, rounded } from "./pixels.js";

const MILD = [255, 210, 60], HOT = [214, 30, 40], OPACITY = 0.7;

/** Heat in [0, 1] of every value of a map: how rare it is as the highest of a normal image's map. */
export function warmth(map, calibration, rate) {
  const room = Math.min(1, -Math.log10(rate));
  return Float64Array.from(map, (value) => {
    const below = calibration.filter((known) => known < value).length;
    const rarity = (1 + calibration.length - below) / (calibration.length + 1);
    return Math.min(1, Math.max(0, 1 - Math.log10(rarity / rate) / room));
  });
}

/** `heat` of `side` × `side` places, enlarged bilinearly, laid over an image. */
export function overlay(image, heat, side) {
  const { height, width, data } = image, size = height * width;
  const along = (place, length) => {
    const at = Math.min(side - 1, Math.max(0, ((place + 0.5) * side) / length - 0.5));
    return [Math.floor(at), Math.min(side - 1, Math.floor(at) + 1), at % 1];
  };
  const warm = (row, column) => {
    const [up, down, fall] = along(row, height), [left, right, way] = along(column, width);
    const line = (at) => heat[at * side + left] * (1 - way) + heat[at * side + right] * way;
    return line(up) * (1 - fall) + line(down) * fall;
  };
  return pixelByPixel(height, width, (at, row, column) => {
    const here = warm(row, column), channel = Math.floor(at / size);
    const colour = MILD[channel] + here * (HOT[channel] - MILD[channel]);
    return rounded(data[at] + OPACITY * Math.sqrt(here) * (colour - data[at]));
  });
}
