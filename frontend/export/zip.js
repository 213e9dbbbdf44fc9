/** A zip file without compression (APPNOTE 6.3, without zip64). Pure. */

/**
 * The bytes of an entry come in pieces, so that large arrays are not copied.
 * @typedef {{name: string, parts: Uint8Array<ArrayBuffer>[]}} Entry
 */

const VERSION = 20;
const UTF8_NAMES = 1 << 11;
/** 1 January 1980, the earliest date of the format. With a fixed date, the same input gives the same bytes. */
const DATE = (1 << 5) | 1;
const MOST_BYTES = 0xffffffff;
const MOST_ENTRIES = 0xffff;
const TOO_LARGE = "a zip file can have at most 4 GiB and 65,535 entries. Select fewer samples.";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/**
 * @param {Entry[]} entries
 * @returns {Uint8Array<ArrayBuffer>[]} the file, in pieces
 * @throws {Error} the file would be larger than 4 GiB or have more than 65,535 entries
 */
export function zipOf(entries) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const directory = [];
  let offset = 0;
  for (const entry of entries) {
    const name = new TextEncoder().encode(entry.name);
    const size = lengthOf(entry.parts);
    if (offset + size > MOST_BYTES) throw new Error(TOO_LARGE);
    const shared = [
      [VERSION, 2],
      [UTF8_NAMES, 2],
      [0, 2],
      [0, 2],
      [DATE, 2],
      [crc32(entry.parts), 4],
      [size, 4],
      [size, 4],
      [name.length, 2],
      [0, 2],
    ];
    const header = [fields([0x04034b50, 4], ...shared), name, ...entry.parts];
    directory.push(fields([0x02014b50, 4], [VERSION, 2], ...shared, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), name);
    parts.push(...header);
    offset += lengthOf(header);
  }
  const size = lengthOf(directory);
  const count = entries.length;
  if (count > MOST_ENTRIES || offset + size > MOST_BYTES) throw new Error(TOO_LARGE);
  const end = fields([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [offset, 4], [0, 2]);
  return [...parts, ...directory, end];
}

/** @param {Uint8Array[]} parts */
function crc32(parts) {
  let crc = -1;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) crc = CRC_TABLE[(crc ^ part[i]) & 255] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** @param {Uint8Array[]} parts */
function lengthOf(parts) {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** @param {...number[]} values little-endian numbers, each with its size in bytes */
function fields(...values) {
  const bytes = new Uint8Array(values.reduce((sum, [, width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [value, width] of values) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}
