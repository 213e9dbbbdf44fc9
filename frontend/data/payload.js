/** Decodes the payload of a sample: it inflates the bytes and reads its arrays as float32. */

import { dimensionsOf, elementsIn } from "../samples/sample_arrays.js";

/** @import {Arrays} from "../samples/sample_arrays.js" */
/** @import {Sample} from "../types.js" */

/** @typedef {ReturnType<typeof dimensionsOf>} Dimensions */

/** The codecs whose values are stored as residuals. The others need no distinction. */
const PREDICTED_PALETTE = 3;
const PREDICTED_LEVELS = 4;
/** The codec of every array of a sample whose arrays the training did not store. */
export const NOT_STORED = 5;

const PIECE_BYTES = 16 << 10;
const LARGEST_PALETTE = 256;
const NAN = -32768;
const NEGATIVE_INFINITY = -32767;
const INFINITY = 32767;

/**
 * @param {Sample} sample
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Arrays>}
 * @throws {Error} the bytes do not hold arrays of the sample's shape
 */
export async function decodePayload({ shape, payload: { codecs } }, bytes) {
  const dimensions = dimensionsOf(shape);
  const [channels, ...sides] = shape;
  const pixels = elementsIn(sides);
  const predicted = 4 * LARGEST_PALETTE + 2 * pixels;
  const plain = Math.max(4 * pixels, 4 * LARGEST_PALETTE + pixels);
  const image = channels * (2 + (codecs[0] === PREDICTED_PALETTE ? predicted : plain));
  const levels = (codecs.length - 1) * (4 + 2 * channels * pixels);
  return readPayload(await inflate(bytes, image + levels), dimensions, codecs);
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {number} most bytes
 * @throws {Error} the result would be longer than `most`
 */
export async function inflate(bytes, most) {
  const data = new Uint8Array(most);
  let length = 0;
  // A Blob's stream would fetch the bytes from another process.
  const { readable, writable } = new DecompressionStream("deflate");
  writeAll(writable.getWriter(), bytes).catch(() => {}); // The reader gets the same error.
  const reader = readable.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (length + part.value.length > most) {
      reader.cancel().catch(() => {});
      throw new Error(`they are longer than the ${most} bytes that their shape allows`);
    }
    data.set(part.value, length);
    length += part.value.length;
  }
  return data.subarray(0, length);
}

/**
 * Writes piece by piece, because a stream inflates a whole piece before the reader can refuse the result.
 * @param {WritableStreamDefaultWriter<BufferSource>} writer
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function writeAll(writer, bytes) {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    await writer.ready;
    await writer.write(bytes.subarray(at, at + PIECE_BYTES));
  }
  await writer.close();
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {Dimensions} dimensions
 * @param {readonly number[]} codecs of the image and of each further array
 * @returns {Arrays}
 */
export function readPayload(data, dimensions, [imageCodec, ...codecs]) {
  const { channels, height, width } = dimensions;
  const pixels = height * width;
  const { image, end } =
    imageCodec === PREDICTED_PALETTE ? readPredictedImage(data, dimensions) : readImage(data, channels, pixels);
  const bytes = 2 * channels * pixels;
  const levels = end + 4 * codecs.length;
  if (data.length !== levels + codecs.length * bytes) {
    throw new Error("their length does not fit their shape");
  }
  const quanta = new DataView(data.buffer, data.byteOffset + end);
  const arrays = codecs.map((codec, position) => {
    const start = levels + bytes * position;
    const values = readIntegers(data.subarray(start, start + bytes));
    if (codec === PREDICTED_LEVELS) restore(values, dimensions);
    return readLevels(values, quanta.getFloat32(4 * position, true));
  });
  return [image, ...arrays];
}

/**
 * The palettes of all channels come first, and then the residuals of all positions in them.
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {Dimensions} dimensions
 */
function readPredictedImage(data, dimensions) {
  const { channels, height, width } = dimensions;
  const pixels = height * width;
  let start = 0;
  const palettes = Array.from({ length: channels }, () => {
    const size = data[start] | (data[start + 1] << 8);
    const entries = readPlanes(data, start + 2, size);
    start += 2 + 4 * size;
    return entries;
  });
  const end = start + 2 * channels * pixels;
  if (end > data.length) throw new Error("their image is too short");
  const positions = readIntegers(data.subarray(start, end));
  restore(positions, dimensions);
  const image = new Float32Array(channels * pixels);
  for (let i = 0; i < image.length; i++) {
    const palette = palettes[Math.floor(i / pixels)];
    if (!(positions[i] >= 0 && positions[i] < palette.length)) {
      throw new Error("their image uses colours that are not in its palette");
    }
    image[i] = palette[positions[i]];
  }
  return { image, end };
}

/**
 * Turns residuals into values. `http_api.md` describes the prediction.
 * @param {Int32Array} values
 * @param {Dimensions} dimensions
 */
function restore(values, { channels, height, width }) {
  for (let row = 0; row < channels * height; row++) {
    const first = row % height === 0;
    for (let x = 0; x < width; x++) {
      const at = row * width + x;
      const west = x ? values[at - 1] : 0;
      const north = first ? 0 : values[at - width];
      const corner = x && !first ? values[at - width - 1] : 0;
      const low = Math.min(west, north);
      const high = Math.max(west, north);
      values[at] += Math.max(low, Math.min(high, west + north - corner));
    }
  }
  const pixels = height * width;
  for (let at = pixels; at < values.length; at++) values[at] += values[at - pixels];
}

/**
 * Each channel starts with the size of its palette as uint16. If the size is 0, the pixels follow. Otherwise the
 * palette follows, and then one position in the palette for each pixel.
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {number} channels
 * @param {number} pixels
 */
function readImage(data, channels, pixels) {
  const image = new Float32Array(channels * pixels);
  let end = 0;
  for (let channel = 0; channel < channels; channel++) {
    const size = data[end] | (data[end + 1] << 8);
    const entries = readPlanes(data, end + 2, size || pixels);
    end += 2 + 4 * (size || pixels);
    if (!size) {
      image.set(entries, channel * pixels);
      continue;
    }
    const positions = data.subarray(end, end + pixels);
    end += pixels;
    if (end > data.length || positions.some((position) => position >= size)) {
      throw new Error("their image uses colours that are not in its palette");
    }
    for (let pixel = 0; pixel < pixels; pixel++) image[channel * pixels + pixel] = entries[positions[pixel]];
  }
  return { image, end };
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {number} start where `count` float32 begin, as four planes of bytes, the lowest bytes first
 * @param {number} count
 */
function readPlanes(data, start, count) {
  if (!(start + 4 * count <= data.length)) throw new Error("their image is too short");
  const bits = new Uint32Array(count);
  for (let plane = 0; plane < 4; plane++) {
    const offset = start + plane * count;
    for (let i = 0; i < count; i++) bits[i] |= data[offset + i] << (8 * plane);
  }
  return new Float32Array(bits.buffer);
}

/**
 * @param {Uint8Array} planes uint16 as all low bytes and then all high bytes; 0, 1, 2, 3, … stand for the
 *   integers 0, -1, 1, -2, …
 */
function readIntegers(planes) {
  const integers = new Int32Array(planes.length / 2);
  for (let i = 0; i < integers.length; i++) {
    const folded = (planes[integers.length + i] << 8) | planes[i];
    integers[i] = (folded >> 1) ^ -(folded & 1);
  }
  return integers;
}

/**
 * @param {Int32Array} levels
 * @param {number} quantum
 */
function readLevels(levels, quantum) {
  const values = new Float32Array(levels.length);
  for (let i = 0; i < values.length; i++) {
    const level = levels[i];
    if (!(level >= NAN && level <= INFINITY)) throw new Error("their levels are out of range");
    if (level === NAN) values[i] = NaN;
    else if (level === INFINITY) values[i] = Infinity;
    else if (level === NEGATIVE_INFINITY) values[i] = -Infinity;
    else values[i] = level * quantum;
  }
  return values;
}
