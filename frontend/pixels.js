/**
 * Arrays as pixels: the image, the gradient in diverging colours, and the morph
 * image + strength · delta. Pure functions on typed arrays.
 *
 * One channel is grey. Of two, the mean of both levels is painted as grey. Three are red, green and
 * blue. A fourth is not painted: the network's alpha has no background to be blended with.
 *
 * A signal is a strip: a row of grey pixels for each channel. Of a long one each pixel is the mean of
 * several values.
 */

/** @import {Picture, Rectangle, Sample} from "./types.js" */

/** What marks a pixel that is not a number: a colour that no image in grey or palette has. */
export const NAN_COLOUR = 0xffff00ff;
/** The place in a palette of a gradient that is not finite. */
export const NOT_FINITE = 256;

const OPAQUE = 0xff000000;
const LONGEST_STRIP = 512;

/**
 * The rows and columns of pixels in which a sample is painted.
 * @param {Sample["shape"]} shape
 */
export function rasterOf(shape) {
  if (shape.length === 3) return { width: shape[2], height: shape[1] };
  return { width: Math.min(shape[1], LONGEST_STRIP), height: shape[0] };
}

/**
 * @param {Sample} sample
 * @param {Float32Array[]} arrays image, then gradient and delta (where there is one) of each target
 * @returns {Picture}
 */
export function makePicture(sample, arrays) {
  const [channels] = sample.shape;
  const { width, height } = rasterOf(sample.shape);
  const isSignal = sample.shape.length === 2;
  const painted = isSignal ? channels : Math.min(channels, 3);
  const pixels = isSignal ? width : height * width;
  const [image, ...rest] = isSignal ? arrays.map((array) => meansOfRows(array, channels, width)) : arrays;
  const [lows, highs] =
    sample.session.bounds ?? (isSignal ? rangesOfRows(arrays[0], channels) : rangeOf(image));
  const units = Array.from({ length: painted }, (_, channel) => {
    const low = lows[channel] ?? lows[0];
    const high = highs[channel] ?? highs[0];
    return { low, levels: 255 / (high > low ? high - low : 1) };
  });
  const base = new Float32Array(painted * pixels);
  for (let i = 0; i < base.length; i++) {
    const { low, levels } = units[Math.floor(i / pixels)];
    base[i] = (image[i] - low) * levels;
  }
  let place = 0;
  const targets = sample.targets.map((target) => {
    const gradient = paletteIndices(rest[place++], isSignal ? 1 : channels);
    if (target.delta_norm === null) return { gradient, change: null };
    const delta = rest[place++];
    const change = new Float32Array(painted * pixels);
    for (let i = 0; i < change.length; i++) {
      change[i] = delta[i] * units[Math.floor(i / pixels)].levels;
    }
    return { gradient, change };
  });
  const bytes = targets.reduce(
    (sum, { gradient, change }) => sum + gradient.byteLength + (change?.byteLength ?? 0),
    base.byteLength,
  );
  return { width, height, planes: isSignal ? 1 : painted, base, targets, bytes };
}

/**
 * Each row's own range: a signal's channels may have units of their own.
 * @param {Float32Array} array
 * @param {number} rows
 * @returns {[number[], number[]]}
 */
function rangesOfRows(array, rows) {
  const length = array.length / rows;
  const ranges = Array.from({ length: rows }, (_, row) =>
    rangeOf(array.subarray(row * length, (row + 1) * length)),
  );
  return [ranges.map(([low]) => low[0]), ranges.map(([, high]) => high[0])];
}

/**
 * Rows of another length that is not larger: each value is the mean of those that it stands for.
 * @param {Float32Array} array
 * @param {number} rows
 * @param {number} width of the new rows
 */
function meansOfRows(array, rows, width) {
  const length = array.length / rows;
  if (length === width) return array;
  const means = new Float32Array(rows * width);
  for (let i = 0; i < means.length; i++) {
    const start = Math.floor(i / width) * length;
    const first = start + Math.floor(((i % width) * length) / width);
    const end = start + Math.floor((((i % width) + 1) * length) / width);
    let sum = 0;
    for (let at = first; at < end; at++) sum += array[at];
    means[i] = sum / (end - first);
  }
  return means;
}

/**
 * The finite range of an image, or [0, 1] where it keeps within that.
 * @param {Float32Array} image
 * @returns {[number[], number[]]}
 */
export function rangeOf(image) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of image) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high || (low >= 0 && high <= 1) ? [[0], [1]] : [[low], [high]];
}

/**
 * The gradient's sum over channels, which is what brightening a pixel as a whole would do to the
 * score, on a scale that is symmetric about zero and ends at the largest finite magnitude.
 * @param {Float32Array} gradient
 * @param {number} channels
 */
export function paletteIndices(gradient, channels) {
  const pixels = gradient.length / channels;
  const sums = new Float64Array(pixels);
  for (let i = 0; i < gradient.length; i++) sums[i % pixels] += gradient[i];
  let largest = 0;
  for (const sum of sums) {
    const size = Math.abs(sum);
    if (size > largest && size < Infinity) largest = size;
  }
  return Uint16Array.from(sums, (sum) =>
    Number.isFinite(sum) ? Math.round(127.5 + (largest && (127.5 * sum) / largest)) : NOT_FINITE,
  );
}

/**
 * @param {Uint32Array} pixels a canvas' pixels, `0xaabbggrr` as on every machine with a browser
 * @param {number} stride the canvas' width
 * @param {Rectangle} rectangle
 * @param {Uint16Array} gradient
 * @param {Uint32Array} palette
 */
export function paintGradient(pixels, stride, [left, top, width, height], gradient, palette) {
  const rows = gradient.length / width;
  for (let row = 0; row < height; row++) {
    let out = (top + row) * stride + left;
    let i = Math.floor((row * rows) / height) * width;
    for (const end = out + width; out < end; out++, i++) pixels[out] = palette[gradient[i]];
  }
}

/**
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {Rectangle} rectangle
 * @param {Picture} picture
 */
export function paintImage(pixels, stride, rectangle, picture) {
  paintMorph(pixels, stride, rectangle, picture, new Float32Array(picture.base.length), 0);
}

/**
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {Rectangle} rectangle
 * @param {Picture} picture
 * @param {Float32Array} change
 * @param {number} strength
 */
export function paintMorph(pixels, stride, [left, top, width, height], picture, change, strength) {
  const { base, planes, height: rows } = picture;
  const paintRow = planes === 1 ? paintGreyRow : planes === 2 ? paintPairRow : paintColourRow;
  for (let row = 0; row < height; row++) {
    const out = (top + row) * stride + left;
    const i = Math.floor((row * rows) / height) * width;
    paintRow(pixels, out, width, base, change, strength, i, width * rows);
  }
}

/**
 * @param {Uint32Array} pixels
 * @param {number} out
 * @param {number} width
 * @param {Float32Array} base
 * @param {Float32Array} change
 * @param {number} strength
 * @param {number} i
 */
function paintGreyRow(pixels, out, width, base, change, strength, i) {
  for (const end = out + width; out < end; out++, i++) {
    const value = base[i] + strength * change[i];
    pixels[out] = value === value ? OPAQUE | (clamp(value) * 0x010101) : NAN_COLOUR;
  }
}

/**
 * @param {Uint32Array} pixels
 * @param {number} out
 * @param {number} width
 * @param {Float32Array} base
 * @param {Float32Array} change
 * @param {number} strength
 * @param {number} i
 * @param {number} plane
 */
function paintPairRow(pixels, out, width, base, change, strength, i, plane) {
  for (const end = out + width; out < end; out++, i++) {
    const first = base[i] + strength * change[i];
    const second = base[i + plane] + strength * change[i + plane];
    const sum = first + second;
    pixels[out] =
      sum === sum ? OPAQUE | (((clamp(first) + clamp(second) + 1) >> 1) * 0x010101) : NAN_COLOUR;
  }
}

/**
 * @param {Uint32Array} pixels
 * @param {number} out
 * @param {number} width
 * @param {Float32Array} base
 * @param {Float32Array} change
 * @param {number} strength
 * @param {number} i
 * @param {number} plane
 */
function paintColourRow(pixels, out, width, base, change, strength, i, plane) {
  for (const end = out + width; out < end; out++, i++) {
    const red = base[i] + strength * change[i];
    const green = base[i + plane] + strength * change[i + plane];
    const blue = base[i + 2 * plane] + strength * change[i + 2 * plane];
    pixels[out] =
      red === red && green === green && blue === blue
        ? OPAQUE | (clamp(blue) << 16) | (clamp(green) << 8) | clamp(red)
        : NAN_COLOUR;
  }
}

/**
 * The nearest level of 0 to 255.
 * @param {number} value
 */
function clamp(value) {
  return value < 0 ? 0 : value > 255 ? 255 : (value + 0.5) | 0;
}
