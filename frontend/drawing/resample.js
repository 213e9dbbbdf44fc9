/** Shrinks arrays to the size at which they are shown. Pure. */

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
