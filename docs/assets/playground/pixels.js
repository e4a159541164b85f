// Images of the playground: { height, width, data }, a Uint8Array plane by plane (red, green, blue),
// as a tensor (3, H, W) lies in memory.

export const CHANNELS = 3;

export const imageOf = (height, width) => ({
  height,
  width,
  data: new Uint8Array(CHANNELS * height * width),
});

export const copyOf = (image) => ({ ...image, data: image.data.slice() });

/** To the nearest whole number from 0 to 255, halves to the even one, as PyTorch rounds. */
export function rounded(value) {
  const below = Math.floor(value), rest = value - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return Math.min(255, Math.max(0, up ? below + 1 : below));
}

/** An image from `value(at, row, column)` of every pixel of every plane; `at` is its place in `data`. */
export function pixelByPixel(height, width, value) {
  const made = imageOf(height, width);
  let at = 0;
  for (let channel = 0; channel < CHANNELS; channel++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++, at++)
        made.data[at] = value(at, row, column);
  return made;
}

/** From a canvas's pixels, RGBA side by side and opaque. */
export function fromCanvasPixels({ data, width, height }) {
  const size = height * width;
  return pixelByPixel(height, width, (at) => data[4 * (at % size) + Math.floor(at / size)]);
}

/** To a canvas's pixels. */
export function toCanvasPixels(image) {
  const size = image.height * image.width, pixels = new ImageData(image.width, image.height);
  for (let at = 0; at < size; at++) {
    for (let channel = 0; channel < CHANNELS; channel++)
      pixels.data[4 * at + channel] = image.data[channel * size + at];
    pixels.data[4 * at + 3] = 255;
  }
  return pixels;
}

/** 1 inside a box (top, left, height, width), 0 elsewhere. */
export function insideBox({ height, width }, [top, left, tall, wide]) {
  const inside = new Uint8Array(height * width);
  for (let row = top; row < top + tall; row++)
    inside.fill(1, row * width + left, row * width + left + wide);
  return inside;
}
