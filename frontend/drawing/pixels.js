/**
 * Paints images: the original, the gradient in colours, the morph = image + strength · delta, clipped to the sample's
 * bounds, and the change = the delta, enlarged. Pure functions on typed arrays.
 *
 * One channel is painted grey. Two channels are painted as their mean, in grey. Three channels are red, green and
 * blue. A fourth channel (alpha) is not painted.
 */

import { legalValues } from "../samples/legal_values.js";
import { splitArrays } from "../samples/sample_arrays.js";
import { COLOURS, MIDDLE, NAN_COLOUR, NOT_FINITE } from "./colormap.js";
import { usualStyle } from "./gradient_colors.js";
import { scaleEndOf } from "./percentile.js";
import { shrink, smooth } from "./resample.js";

/** @import {ColouredGradient} from "./gradient_colors.js" */
/** @import {ImagePicture, MorphChange, Raster, Rectangle, Sample, TargetLevels} from "../types.js" */

/** Browsers refuse a larger canvas. */
export const LARGEST_CANVAS_SIDE = 16_384;
const OPAQUE = 0xff000000;
/** A change of this many grey levels gets the last colour in the change panel. */
const HALF_RANGE = 127.5;
/** The heat of a photograph is smoothed with a Gaussian of this many pixels; of a small image with fewer. */
const HEAT_SIGMA = 3;
const HEAT_SHARE = 1 / 32;

/**
 * @param {Sample} sample an image
 * @param {Float32Array[]} arrays in the stored order
 * @param {Raster} [raster] the size at which it is shown, at most its own size; the default is its own size, limited
 *   by `LARGEST_CANVAS_SIDE`
 * @returns {ImagePicture}
 */
export function makeImagePicture(sample, arrays, raster) {
  const [channels, height, width] = /** @type {[number, number, number]} */ (sample.shape);
  const own = { width, height };
  const size = raster ?? {
    width: Math.min(width, LARGEST_CANVAS_SIDE),
    height: Math.min(height, LARGEST_CANVAS_SIDE),
  };
  const planes = Math.min(channels, 3);
  const { image, targets: split } = splitArrays(sample, arrays);
  const painted = (/** @type {Float32Array} */ values) =>
    shrink(values.subarray(0, planes * width * height), planes, own, size);
  const units = levelUnits(sample, image, planes);
  const base = inLevels(painted(image), units);
  const legal = legalLevels(sample, units);
  const slopes = units.map(({ levels }) => ({ low: 0, levels }));
  const steps = levelsPerUnit(sample, image, channels);
  const sigma = Math.min(HEAT_SIGMA, HEAT_SHARE * Math.max(width, height));
  const targets = split.map(({ gradient, deltas }) => {
    const magnitude = largestOverChannels(gradient, channels);
    const levels = gradientLevels(
      shrink(sumOverChannels(gradient, channels), 1, own, size),
      shrink(magnitude, 1, own, size),
      shrink(smooth(magnitude, own, sigma), 1, own, size),
    );
    const morphs = deltas.map((delta) => {
      const change = inLevels(painted(delta), slopes);
      // Of the whole image, so that the gain is the same at every size.
      const end = scaleEndOf(inLevels(delta.subarray(0, planes * width * height), slopes));
      return { change, gain: HALF_RANGE / (end || HALF_RANGE), ...extentOf(delta, steps) };
    });
    return { ...levels, usualStyle: usualStyle(sample.shape), morphs };
  });
  const bytes = targets.reduce(
    (sum, { gradient, morphs }) =>
      morphs.reduce((most, { change }) => most + change.byteLength, sum + 3 * gradient.byteLength),
    base.byteLength,
  );
  return { kind: "image", ...size, planes, base, legal, targets, bytes };
}

/**
 * For each painted channel the value that is painted black, and the number of grey levels per unit. If the bounds are
 * those of the values that the hook has seen, all channels have one range, from the least low to the largest high. So
 * colours keep their relation.
 * @param {Sample} sample
 * @param {Float32Array} image
 * @param {number} planes
 */
function levelUnits(sample, image, planes) {
  const { session, bounds } = sample;
  const own = bounds || session.bounds ? legalValues(sample).slice(0, planes) : [rangeOf(image)];
  const joint = () => [Math.min(...own.map(([low]) => low)), Math.max(...own.map(([, high]) => high))];
  const ranges = session.bounds ? own : [joint()];
  return Array.from({ length: planes }, (_, channel) => {
    const [low, high] = ranges[channel] ?? ranges[0];
    return { low, levels: 255 / (high > low ? high - low : 1) };
  });
}

/**
 * For each painted channel the lowest and highest grey level that a morph has: those of the sample's bounds.
 * @param {Sample} sample
 * @param {{low: number, levels: number}[]} units
 * @returns {[number, number][]}
 */
function legalLevels(sample, units) {
  const legal = legalValues(sample);
  return units.map(({ low, levels }, plane) => {
    const [least, most] = legal[plane].map((value) => clamp((value - low) * levels));
    return [least, most];
  });
}

/**
 * For each channel how many 255ths of the display's range one unit of the model is. A channel that is not painted has
 * the range of its own bounds.
 * @param {Sample} sample
 * @param {Float32Array} image
 * @param {number} channels
 */
function levelsPerUnit(sample, image, channels) {
  const { std } = sample.session;
  if (!std) {
    const painted = levelUnits(sample, image, Math.min(channels, 3));
    return legalValues(sample).map(([low, high], channel) => {
      if (channel < painted.length) return painted[channel].levels;
      return Number.isFinite(high - low) ? 255 / (high > low ? high - low : 1) : painted[0].levels;
    });
  }
  return Array.from({ length: channels }, (_, channel) => 255 * (std[channel] ?? std[0]));
}

/**
 * The largest and the mean magnitude of a change.
 * @param {Float32Array} delta in model units, channel by channel
 * @param {number[]} units what one unit of the model is, for each channel
 */
export function extentOf(delta, units) {
  const pixels = delta.length / units.length;
  let largest = 0;
  let sum = 0;
  units.forEach((unit, channel) => {
    for (let i = channel * pixels; i < (channel + 1) * pixels; i++) {
      const size = Math.abs(delta[i]) * unit;
      // NaN stays, so that it is not called a small change.
      largest = Math.max(largest, size);
      sum += size;
    }
  });
  return { largest, mean: delta.length ? sum / delta.length : 0 };
}

/**
 * @param {Float32Array} values of the painted channels
 * @param {{low: number, levels: number}[]} units one for each painted channel
 */
function inLevels(values, units) {
  const scaled = new Float32Array(values.length);
  const pixels = values.length / units.length;
  units.forEach(({ low, levels }, plane) => {
    for (let i = plane * pixels; i < (plane + 1) * pixels; i++) scaled[i] = (values[i] - low) * levels;
  });
  return scaled;
}

/**
 * The range of the finite values of an image, or [0, 1] if they are all in that range.
 * @param {Float32Array} image
 * @returns {[number, number]}
 */
export function rangeOf(image) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of image) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high || (low >= 0 && high <= 1) ? [0, 1] : [low, high];
}

/**
 * The gradient of a pixel as a whole: how the score changes if all its channels become brighter.
 * @param {Float32Array} gradient
 * @param {number} channels
 */
function sumOverChannels(gradient, channels) {
  if (channels === 1) return gradient;
  const sums = new Float32Array(gradient.length / channels);
  for (let start = 0; start < gradient.length; start += sums.length) {
    for (let pixel = 0; pixel < sums.length; pixel++) sums[pixel] += gradient[start + pixel];
  }
  return sums;
}

/**
 * The saliency of Simonyan et al. (https://arxiv.org/abs/1312.6034): the largest magnitude of a pixel's channels.
 * @param {Float32Array} gradient
 * @param {number} channels
 */
function largestOverChannels(gradient, channels) {
  const most = new Float32Array(gradient.length / channels);
  for (let start = 0; start < gradient.length; start += most.length) {
    for (let pixel = 0; pixel < most.length; pixel++) {
      // Math.max keeps NaN.
      most[pixel] = Math.max(most[pixel], Math.abs(gradient[start + pixel]));
    }
  }
  return most;
}

/**
 * @param {Float32Array} gradient
 * @param {Float32Array} magnitude
 * @param {Float32Array} heat the smoothed magnitude
 * @returns {Omit<TargetLevels, "usualStyle">}
 */
export function gradientLevels(gradient, magnitude, heat) {
  const [end, magnitudeEnd, heatEnd] = [gradient, magnitude, heat].map(scaleEndOf);
  return {
    gradient: levelsOf(gradient, MIDDLE, end),
    end,
    magnitude: levelsOf(magnitude, 0, magnitudeEnd),
    magnitudeEnd,
    heat: levelsOf(heat, 0, heatEnd),
    heatEnd,
  };
}

/**
 * Positions in a table of colours.
 * @param {Float32Array} values
 * @param {number} zero the position of the value zero
 * @param {number} end values of this magnitude and beyond get the last colour
 */
function levelsOf(values, zero, end) {
  const unit = end && (COLOURS - 1 - zero) / end;
  const levels = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    levels[i] = Number.isFinite(values[i]) ? tablePosition(zero + unit * values[i]) : NOT_FINITE;
  }
  return levels;
}

/**
 * The nearest position in a table of colours.
 * @param {number} value
 */
function tablePosition(value) {
  return Math.min(Math.max(Math.round(value), 0), COLOURS - 1);
}

/**
 * @param {Uint32Array} pixels the pixels of a canvas as `0xaabbggrr`
 * @param {number} stride the width of the canvas
 * @param {Rectangle} rectangle
 * @param {ImagePicture} picture
 * @param {ColouredGradient} coloured
 */
export function paintGradient(pixels, stride, [left, top, width, height], picture, coloured) {
  const { levels, colours, opacity, ground } = coloured;
  for (let row = 0, i = 0; row < height; row++) {
    let out = (top + row) * stride + left;
    for (const end = out + width; out < end; out++, i++) {
      const colour = colours[levels[i]];
      pixels[out] = ground ? blend(grey(picture, i, ground), colour, opacity[levels[i]] / 255) : colour;
    }
  }
}

/**
 * A pixel of the original in grey, as the background of an overlay.
 * @param {ImagePicture} picture
 * @param {number} i
 * @param {readonly [least: number, range: number]} ground the darkest grey, and the range above it
 */
function grey({ base, planes, width, height }, i, [least, range]) {
  const plane = width * height;
  const level =
    planes === 1
      ? clamp(base[i])
      : planes === 2
        ? (clamp(base[i]) + clamp(base[i + plane])) / 2
        : 0.299 * clamp(base[i]) + 0.587 * clamp(base[i + plane]) + 0.114 * clamp(base[i + 2 * plane]);
  return OPAQUE | (Math.round(least + (range * level) / 255) * 0x010101);
}

/**
 * @param {number} ground an opaque pixel
 * @param {number} colour another opaque pixel
 * @param {number} opacity the opacity of the colour, 0 to 1
 */
export function blend(ground, colour, opacity) {
  let mixed = OPAQUE;
  for (let shift = 0; shift < 24; shift += 8) {
    const under = (ground >>> shift) & 255;
    mixed |= Math.round(under + (((colour >>> shift) & 255) - under) * opacity) << shift;
  }
  return mixed >>> 0;
}

/**
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {Rectangle} rectangle
 * @param {ImagePicture} picture
 */
export function paintImage(pixels, stride, rectangle, picture) {
  paintMorph(pixels, stride, rectangle, picture, new Float32Array(picture.base.length), 0);
}

/**
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {Rectangle} rectangle
 * @param {ImagePicture} picture
 * @param {Float32Array} change
 * @param {number} strength
 */
export function paintMorph(pixels, stride, [left, top, width, height], picture, change, strength) {
  const { base, planes, legal } = picture;
  const paintRow = planes === 1 ? paintGreyRow : planes === 2 ? paintPairRow : paintColourRow;
  for (let row = 0; row < height; row++) {
    const out = (top + row) * stride + left;
    paintRow(pixels, out, width, base, change, strength, row * width, legal, width * height);
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
 * @param {[number, number][]} legal
 */
function paintGreyRow(pixels, out, width, base, change, strength, i, legal) {
  const [[low, high]] = legal;
  for (const end = out + width; out < end; out++, i++) {
    const value = base[i] + strength * change[i];
    pixels[out] = value === value ? OPAQUE | (legalLevel(value, low, high) * 0x010101) : NAN_COLOUR;
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
 * @param {[number, number][]} legal
 * @param {number} plane
 */
function paintPairRow(pixels, out, width, base, change, strength, i, legal, plane) {
  const [[low, high], [otherLow, otherHigh]] = legal;
  for (const end = out + width; out < end; out++, i++) {
    const first = base[i] + strength * change[i];
    const second = base[i + plane] + strength * change[i + plane];
    const sum = first + second;
    const grey = (legalLevel(first, low, high) + legalLevel(second, otherLow, otherHigh) + 1) >> 1;
    pixels[out] = sum === sum ? OPAQUE | (grey * 0x010101) : NAN_COLOUR;
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
 * @param {[number, number][]} legal
 * @param {number} plane
 */
function paintColourRow(pixels, out, width, base, change, strength, i, legal, plane) {
  const [[lowRed, highRed], [lowGreen, highGreen], [lowBlue, highBlue]] = legal;
  for (const end = out + width; out < end; out++, i++) {
    const red = base[i] + strength * change[i];
    const green = base[i + plane] + strength * change[i + plane];
    const blue = base[i + 2 * plane] + strength * change[i + 2 * plane];
    pixels[out] =
      red === red && green === green && blue === blue
        ? OPAQUE |
          (legalLevel(blue, lowBlue, highBlue) << 16) |
          (legalLevel(green, lowGreen, highGreen) << 8) |
          legalLevel(red, lowRed, highRed)
        : NAN_COLOUR;
  }
}

/**
 * The nearest grey level of those that are legal.
 * @param {number} value
 * @param {number} low a whole level
 * @param {number} high a whole level
 */
function legalLevel(value, low, high) {
  return value < low ? low : value > high ? high : (value + 0.5) | 0;
}

/**
 * The nearest grey level, 0 to 255.
 * @param {number} value
 */
function clamp(value) {
  return value < 0 ? 0 : value > 255 ? 255 : (value + 0.5) | 0;
}

/**
 * Paints a change, enlarged by its gain: of one channel (or two) in the colours of a diverging map, of three as colours
 * around a middle grey.
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {Rectangle} rectangle
 * @param {ImagePicture} picture
 * @param {MorphChange} morph
 * @param {Uint32Array} colours a diverging map
 */
export function paintChange(pixels, stride, [left, top, width, height], { planes }, { change, gain }, colours) {
  const plane = width * height;
  const unit = (gain * MIDDLE) / HALF_RANGE;
  for (let row = 0, i = 0; row < height; row++) {
    let out = (top + row) * stride + left;
    for (const end = out + width; out < end; out++, i++) {
      if (planes === 3) {
        const [red, green, blue] = [change[i], change[i + plane], change[i + 2 * plane]];
        const isNumber = !Number.isNaN(red + green + blue);
        pixels[out] = isNumber
          ? OPAQUE | (enlarged(blue, gain) << 16) | (enlarged(green, gain) << 8) | enlarged(red, gain)
          : NAN_COLOUR;
      } else {
        const value = planes === 1 ? change[i] : (change[i] + change[i + plane]) / 2;
        pixels[out] = colours[Number.isNaN(value) ? NOT_FINITE : tablePosition(MIDDLE + unit * value)];
      }
    }
  }
}

/**
 * @param {number} change
 * @param {number} gain
 */
function enlarged(change, gain) {
  return clamp(HALF_RANGE + gain * change);
}
