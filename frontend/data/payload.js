/** Decodes the payload of a sample: it inflates the bytes and reads its arrays as float32. */

import { elementsIn, targetArrayCount } from "../samples/sample_arrays.js";

/** @import {Arrays} from "../samples/sample_arrays.js" */
/** @import {Sample} from "../types.js" */

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
export async function decodePayload(sample, bytes) {
  const [channels, ...sides] = sample.shape;
  const pixels = elementsIn(sides);
  const count = targetArrayCount(sample);
  const levels = count * (4 + 2 * channels * pixels);
  const image = channels * (2 + Math.max(4 * pixels, 4 * LARGEST_PALETTE + pixels));
  const data = await inflate(bytes, image + levels);
  return readPayload(data, channels, pixels, count);
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {number} most bytes
 * @throws {Error} the result would be longer than `most`
 */
export async function inflate(bytes, most) {
  const data = new Uint8Array(most);
  let length = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
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
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {number} channels
 * @param {number} pixels
 * @param {number} count how many arrays follow the image
 * @returns {Arrays}
 */
export function readPayload(data, channels, pixels, count) {
  const { image, end } = readImage(data, channels, pixels);
  const elements = channels * pixels;
  const levels = end + 4 * count;
  if (data.length !== levels + 2 * count * elements) {
    throw new Error("their length does not fit their shape");
  }
  const quanta = new DataView(data.buffer, data.byteOffset + end);
  const arrays = Array.from({ length: count }, (_, position) => {
    const start = levels + 2 * elements * position;
    return readLevels(data.subarray(start, start + 2 * elements), quanta.getFloat32(4 * position, true));
  });
  return [image, ...arrays];
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
 *   levels 0, -1, 1, -2, …
 * @param {number} quantum
 */
function readLevels(planes, quantum) {
  const elements = planes.length / 2;
  const values = new Float32Array(elements);
  for (let i = 0; i < elements; i++) {
    const folded = (planes[elements + i] << 8) | planes[i];
    const level = (folded >> 1) ^ -(folded & 1);
    if (level === NAN) values[i] = NaN;
    else if (level === INFINITY) values[i] = Infinity;
    else if (level === NEGATIVE_INFINITY) values[i] = -Infinity;
    else values[i] = level * quantum;
  }
  return values;
}
