/** Arrays as `.npy` files (numpy.lib.format, version 1.0), which `numpy.load` reads. Pure. */

/**
 * The bytes of a file in pieces: the header and then the values.
 * @typedef {Uint8Array<ArrayBuffer>[]} Npy
 */

const MAGIC = [0x93, ..."NUMPY"].map((sign) => (typeof sign === "string" ? sign.charCodeAt(0) : sign));
const ALIGNMENT = 64;

/**
 * @param {number[]} shape
 * @param {Float32Array<ArrayBuffer>[]} chunks the values in C order, in any number of pieces
 * @returns {Npy}
 */
export function float32Npy(shape, chunks) {
  const bytes = chunks.map((values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return [header("<f4", shape), ...bytes];
}

/**
 * @param {number[]} shape
 * @param {number[]} values
 * @returns {Npy}
 */
export function float64Npy(shape, values) {
  return [header("<f8", shape), new Uint8Array(Float64Array.from(values).buffer)];
}

/**
 * @param {number[]} shape
 * @param {number[]} values whole numbers
 * @returns {Npy}
 */
export function int64Npy(shape, values) {
  return [header("<i8", shape), new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer)];
}

/**
 * @param {boolean[]} values
 * @returns {Npy}
 */
export function boolNpy(values) {
  return [header("|b1", [values.length]), Uint8Array.from(values, Number)];
}

/**
 * Texts of fixed width, as numpy stores them. Like numpy, this drops NUL at the end of a text.
 * @param {string[]} texts
 * @returns {Npy}
 */
export function textNpy(texts) {
  const points = texts.map((text) => Array.from(text, (sign) => /** @type {number} */ (sign.codePointAt(0))));
  const width = points.reduce((most, { length }) => Math.max(most, length), 1);
  const values = new Uint32Array(texts.length * width);
  points.forEach((signs, position) => values.set(signs, position * width));
  return [header(`<U${width}`, [texts.length]), new Uint8Array(values.buffer)];
}

/**
 * @param {string} type
 * @param {number[]} shape
 */
function header(type, shape) {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const words = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sides}), }`;
  const start = MAGIC.length + 4;
  const length = Math.ceil((start + words.length + 1) / ALIGNMENT) * ALIGNMENT - start;
  const text = `${words.padEnd(length - 1)}\n`;
  const signs = Array.from(text, (sign) => sign.charCodeAt(0));
  return Uint8Array.from([...MAGIC, 1, 0, length & 255, length >> 8, ...signs]);
}
