/** Shrinks arrays to the size at which they are shown, and smooths them. Pure. */

/**
 * Shrinks planes of pixels. Each new pixel is the weighted mean of the old pixels that it covers; the weights are the
 * covered areas. The mean with a NaN is NaN.
 * @param {Float32Array} values plane by plane, row by row
 * @param {number} planes
 * @param {{width: number, height: number}} from
 * @param {{width: number, height: number}} to not larger than `from`; for the same size the given array is returned
 */
export function shrink(values, planes, from, to) {
  if (from.width === to.width && from.height === to.height) return values;
  const columns = weights(from.width, to.width);
  const narrow = new Float32Array(planes * from.height * to.width);
  for (let line = 0; line < planes * from.height; line++) {
    for (let column = 0; column < to.width; column++) {
      const { first, shares } = columns[column];
      let sum = 0;
      for (let i = 0, at = line * from.width + first; i < shares.length; i++) sum += shares[i] * values[at + i];
      narrow[line * to.width + column] = sum;
    }
  }
  const rows = weights(from.height, to.height);
  const small = new Float32Array(planes * to.height * to.width);
  for (let line = 0; line < planes * to.height; line++) {
    const { first, shares } = rows[line % to.height];
    const start = (Math.floor(line / to.height) * from.height + first) * to.width;
    for (let i = 0; i < shares.length; i++) {
      const at = start + i * to.width;
      for (let column = 0; column < to.width; column++) {
        small[line * to.width + column] += shares[i] * narrow[at + column];
      }
    }
  }
  return small;
}

/**
 * For each new position the first old position that it covers, and the weights of the old positions from there on.
 * @param {number} from
 * @param {number} to
 */
function weights(from, to) {
  return Array.from({ length: to }, (_, position) => {
    const start = (position * from) / to;
    const end = ((position + 1) * from) / to;
    const first = Math.floor(start);
    const count = Math.min(Math.ceil(end - 1e-9), from) - first;
    const shares = Array.from(
      { length: count },
      (_, i) => ((Math.min(end, first + i + 1) - Math.max(start, first + i)) * to) / from,
    );
    return { first, shares };
  });
}

/**
 * Smooths a plane of pixels with a Gaussian. At the edges the weights inside the plane are used alone. Numbers that are
 * not finite do not spread: they count as 0, and they stay where they are.
 * @param {Float32Array} values row by row
 * @param {{width: number, height: number}} size
 * @param {number} sigma in pixels
 */
export function smooth(values, { width, height }, sigma) {
  const finite = values.map((value) => (Number.isFinite(value) ? value : 0));
  const across = smoothLines(finite, { count: height, length: width, step: 1, pitch: width }, sigma);
  const result = smoothLines(across, { count: width, length: height, step: width, pitch: 1 }, sigma);
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) result[i] = values[i];
  return result;
}

/**
 * @param {Float32Array} values
 * @param {{count: number, length: number, step: number, pitch: number}} lines `step`: from one value of a line to the
 *   next; `pitch`: from one line to the next
 * @param {number} sigma
 */
function smoothLines(values, { count, length, step, pitch }, sigma) {
  const reach = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const result = new Float32Array(values.length);
  for (let at = 0; at < length; at++) {
    const first = Math.max(at - reach, 0);
    const last = Math.min(at + reach, length - 1);
    let weights = 0;
    for (let i = first; i <= last; i++) weights += kernel[i - at + reach];
    for (let line = 0; line < count; line++) {
      let sum = 0;
      for (let i = first; i <= last; i++) sum += kernel[i - at + reach] * values[line * pitch + i * step];
      result[line * pitch + at * step] = sum / weights;
    }
  }
  return result;
}
