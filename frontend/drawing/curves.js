/**
 * Draws one-dimensional signals as curves, one row for each channel. The gradient is a coloured band along the
 * original. The morph = signal + strength · delta, clipped to the sample's bounds, is drawn over a grey curve of the
 * original. The change is drawn over a grey line at zero. Pure functions on typed arrays.
 *
 * If several values fall into one column of pixels, the curve reaches from the smallest to the largest of them, so
 * that no peak is lost. The band then has the colour of the strongest gradient in the column.
 */

import { clip, legalValues } from "../samples/legal_values.js";
import { splitArrays } from "../samples/sample_arrays.js";
import { NAN_COLOUR, NOT_FINITE } from "./colormap.js";
import { usualStyle } from "./gradient_colors.js";
import { scaleEndOf } from "./percentile.js";
import { blend, extentOf, gradientLevels } from "./pixels.js";

/** @import {ColouredGradient} from "./gradient_colors.js" */
/** @import {MorphChange, Rectangle, Sample, SignalPicture, Theme} from "../types.js" */

/** Colours of canvas pixels as `0xaabbggrr`. `PAPER` is the background of the cards. */
const PAPER = { light: 0xffffffff, dark: 0xff303030 };
const LINE = { light: 0xff212121, dark: 0xffffffff };
const SHADOW = { light: 0xffc8c8c8, dark: 0xff686868 };

/** The widths of a curve and of the coloured band along it, in CSS pixels. */
const LINE_WIDTH = 1.4;
const BAND_WIDTH = 9;

/**
 * @param {Sample} sample a signal
 * @param {Float32Array[]} arrays in the stored order
 * @returns {SignalPicture}
 */
export function makeSignalPicture(sample, arrays) {
  const [channels, length] = sample.shape;
  const { image: signal, targets: split } = splitArrays(sample, arrays);
  const farthest = sample.strengths.length ? sample.strengths[sample.strengths.length - 1] : 0;
  const changes = split.flatMap(({ deltas }) => deltas);
  const legal = legalValues(sample);
  const ranges = Array.from({ length: channels }, (_, channel) =>
    rangeOfChannel(signal, changes, channel * length, length, farthest, legal[channel]),
  );
  const std = sample.session.std ?? [1];
  const units = ranges.map((_, channel) => std[channel] ?? std[0]);
  const targets = split.map(({ gradient, deltas }) => {
    const magnitude = gradient.map(Math.abs);
    const morphs = deltas.map((change) => ({ change, gain: gainOf(change, ranges), ...extentOf(change, units) }));
    return { ...gradientLevels(gradient, magnitude, magnitude), usualStyle: usualStyle(sample.shape), morphs };
  });
  const bytes = [signal, ...changes].reduce(
    (sum, { byteLength }) => sum + byteLength,
    3 * targets.length * signal.length,
  );
  return { kind: "signal", channels, length, signal, legal, ranges, targets, bytes };
}

/**
 * How many times a change is enlarged, so that its 99th percentile reaches from the middle of a row to its edge.
 * @param {Float32Array} change
 * @param {[number, number][]} ranges of the channels
 */
function gainOf(change, ranges) {
  const length = change.length / ranges.length;
  const shares = change.map((value, i) => {
    const [low, high] = ranges[Math.floor(i / length)];
    return (2 * value) / (high - low);
  });
  return 1 / (scaleEndOf(shares) || 1);
}

/**
 * The smallest and largest value of a channel's signal and of all its morphs, so that one scale fits all of them.
 * @param {Float32Array} signal
 * @param {Float32Array[]} changes
 * @param {number} start
 * @param {number} length
 * @param {number} farthest the largest strength
 * @param {[number, number]} legal
 * @returns {[number, number]}
 */
function rangeOfChannel(signal, changes, start, length, farthest, legal) {
  let low = Infinity;
  let high = -Infinity;
  const take = (/** @type {number} */ value) => {
    if (!Number.isFinite(value)) return;
    if (value < low) low = value;
    if (value > high) high = value;
  };
  for (let i = start; i < start + length; i++) {
    take(signal[i]);
    for (const change of changes) take(clip(signal[i] + farthest * change[i], legal));
  }
  if (low > high) return [-1, 1];
  return low === high ? [low - 1, high + 1] : [low, high];
}

/**
 * @typedef {object} Surface the canvas that is drawn on
 * @property {Uint32Array} pixels row by row
 * @property {number} stride the width of the canvas, in canvas pixels
 * @property {number} ratio canvas pixels per CSS pixel
 * @property {Theme} theme
 */

/**
 * @param {Surface} surface
 * @param {Rectangle} rectangle
 * @param {SignalPicture} picture
 */
export function drawSignal(surface, rectangle, picture) {
  eachRow(surface, rectangle, picture, (row, channel) => {
    const { width } = row;
    drawCurve(surface, row, envelope(channelOf(picture, channel), width), LINE[surface.theme]);
  });
}

/**
 * @param {Surface} surface
 * @param {Rectangle} rectangle
 * @param {SignalPicture} picture
 * @param {ColouredGradient} coloured
 */
export function drawGradient(surface, rectangle, picture, coloured) {
  const { length } = picture;
  eachRow(surface, rectangle, picture, (row, channel) => {
    const curve = envelope(channelOf(picture, channel), row.width);
    const levels = coloured.levels.subarray(channel * length, (channel + 1) * length);
    drawBand(surface, row, curve, { ...coloured, levels });
    drawCurve(surface, row, curve, LINE[surface.theme]);
  });
}

/**
 * @param {Surface} surface
 * @param {Rectangle} rectangle
 * @param {SignalPicture} picture
 * @param {Float32Array} change
 * @param {number} strength
 */
export function drawMorph(surface, rectangle, picture, change, strength) {
  const morph = new Float32Array(picture.length);
  eachRow(surface, rectangle, picture, (row, channel) => {
    const original = channelOf(picture, channel);
    const start = channel * picture.length;
    const legal = picture.legal[channel];
    for (let i = 0; i < morph.length; i++) morph[i] = clip(original[i] + strength * change[start + i], legal);
    drawCurve(surface, row, envelope(original, row.width), SHADOW[surface.theme]);
    drawCurve(surface, row, envelope(morph, row.width), LINE[surface.theme]);
  });
}

/**
 * @param {Surface} surface
 * @param {Rectangle} rectangle
 * @param {SignalPicture} picture
 * @param {MorphChange} morph
 */
export function drawChange(surface, rectangle, picture, { change, gain }) {
  const { length } = picture;
  eachRow(surface, rectangle, picture, (row, channel) => {
    const [low, high] = row.range;
    const half = (high - low) / (2 * gain);
    const centred = /** @type {Row} */ ({ ...row, range: [-half, half] });
    const curve = envelope(change.subarray(channel * length, (channel + 1) * length), row.width);
    drawCurve(surface, centred, envelope(new Float32Array(1), row.width), SHADOW[surface.theme]);
    drawCurve(surface, centred, curve, LINE[surface.theme]);
  });
}

/**
 * The row of one channel within a panel, in canvas pixels, and the values at its lower and upper edge.
 * @typedef {{left: number, top: number, width: number, height: number, range: [number, number]}} Row
 */

/**
 * Clears the panel, and then draws each row.
 * @param {Surface} surface
 * @param {Rectangle} rectangle
 * @param {SignalPicture} picture
 * @param {(row: Row, channel: number) => void} draw
 */
function eachRow({ pixels, stride, theme }, [left, top, width, height], { channels, ranges }, draw) {
  for (let y = top; y < top + height; y++) pixels.fill(PAPER[theme], y * stride + left, y * stride + left + width);
  for (let channel = 0; channel < channels; channel++) {
    const from = Math.round((channel * height) / channels);
    const to = Math.round(((channel + 1) * height) / channels);
    draw({ left, top: top + from, width, height: to - from, range: ranges[channel] }, channel);
  }
}

/**
 * @param {SignalPicture} picture
 * @param {number} channel
 */
function channelOf({ signal, length }, channel) {
  return signal.subarray(channel * length, (channel + 1) * length);
}

/**
 * The smallest and largest value of a curve in each column of pixels; NaN if one of its values is NaN. The curve is
 * straight between two values.
 * @param {Float32Array} values
 * @param {number} width number of columns
 */
export function envelope(values, width) {
  const last = values.length - 1;
  const lows = new Float32Array(width);
  const highs = new Float32Array(width);
  let before = values[0];
  for (let column = 0; column < width; column++) {
    const end = ((column + 1) * last) / width;
    const after = valueAt(values, end);
    let low = Math.min(before, after);
    let high = Math.max(before, after);
    for (let i = Math.ceil((column * last) / width); i <= end; i++) {
      low = Math.min(low, values[i]);
      high = Math.max(high, values[i]);
    }
    lows[column] = low;
    highs[column] = high;
    before = after;
  }
  return { lows, highs };
}

/**
 * @param {Float32Array} values
 * @param {number} position a position, which may be between two values
 */
function valueAt(values, position) {
  const i = Math.floor(position);
  const share = position - i;
  return share ? values[i] + share * (values[i + 1] - values[i]) : values[i];
}

/**
 * @param {Surface} surface
 * @param {Row} row
 * @param {{lows: Float32Array, highs: Float32Array}} curve
 * @param {number} colour
 */
function drawCurve(surface, row, { lows, highs }, colour) {
  const half = (LINE_WIDTH * surface.ratio) / 2;
  for (let column = 0; column < row.width; column++) {
    const x = row.left + column;
    const missing = Number.isNaN(lows[column]);
    const from = missing ? row.top : heightOf(row, highs[column], surface.ratio) - half;
    const to = missing ? row.top + row.height : heightOf(row, lows[column], surface.ratio) + half;
    drawBar(surface, row, x, from, to, missing ? NAN_COLOUR : colour, 1);
  }
}

/**
 * @param {Surface} surface
 * @param {Row} row
 * @param {{lows: Float32Array, highs: Float32Array}} curve
 * @param {ColouredGradient} coloured with the levels of this channel only
 */
function drawBand(surface, row, { lows, highs }, { levels, zero, colours, opacity }) {
  const half = (BAND_WIDTH * surface.ratio) / 2;
  for (let column = 0; column < row.width; column++) {
    if (Number.isNaN(lows[column])) continue;
    const level = strongest(levels, column, row.width, zero);
    const from = heightOf(row, highs[column], surface.ratio) - half;
    const to = heightOf(row, lows[column], surface.ratio) + half;
    drawBar(surface, row, row.left + column, from, to, colours[level], opacity[level] / 255);
  }
}

/**
 * The level that is farthest from zero among those in a column. If none is in the column, the nearest level.
 * @param {Uint8Array} levels
 * @param {number} column
 * @param {number} width
 * @param {number} zero
 */
function strongest(levels, column, width, zero) {
  const last = levels.length - 1;
  const from = (column * last) / width;
  const end = ((column + 1) * last) / width;
  let level = levels[Math.round((from + end) / 2)];
  for (let i = Math.ceil(from); i <= end; i++) {
    if (levels[i] === NOT_FINITE) return NOT_FINITE;
    if (Math.abs(levels[i] - zero) > Math.abs(level - zero)) level = levels[i];
  }
  return level;
}

/**
 * The height of a value in the canvas, in pixels from the top, limited to the row.
 * @param {Row} row
 * @param {number} value
 * @param {number} ratio
 */
function heightOf({ top, height, range: [low, high] }, value, ratio) {
  const inset = Math.min((BAND_WIDTH * ratio) / 2, height / 6);
  const share = Math.min(Math.max((high - value) / (high - low), 0), 1);
  return top + inset + share * (height - 2 * inset);
}

/**
 * Draws a vertical bar, one pixel wide, with smooth ends.
 * @param {Surface} surface
 * @param {Row} row limits the bar
 * @param {number} x
 * @param {number} from
 * @param {number} to
 * @param {number} colour
 * @param {number} opacity 0 to 1
 */
function drawBar({ pixels, stride }, row, x, from, to, colour, opacity) {
  const top = Math.max(from, row.top);
  const bottom = Math.min(to, row.top + row.height);
  for (let y = Math.floor(top); y < bottom; y++) {
    const at = y * stride + x;
    const share = opacity * (Math.min(bottom, y + 1) - Math.max(top, y));
    pixels[at] = share < 1 ? blend(pixels[at], colour, share) : colour;
  }
}
