/** Percentiles of magnitudes: where a scale of colours ends, so that single outliers do not make all else pale. Pure. */

/** The scales of colours end here. */
const SCALE_PERCENTILE = 99;

/**
 * The 99th percentile of the finite magnitudes, interpolated as numpy does.
 * @param {Float32Array} values
 * @returns {number} the largest finite magnitude if the percentile is 0; 0 if there is no other number
 */
export function scaleEndOf(values) {
  const sizes = new Float32Array(values.length);
  let count = 0;
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (!(size < Infinity)) continue;
    sizes[count++] = size;
    if (size > largest) largest = size;
  }
  return percentile(sizes.subarray(0, count), SCALE_PERCENTILE) || largest;
}

/**
 * @param {Float32Array} values finite; their order is changed
 * @param {number} percent
 */
export function percentile(values, percent) {
  if (!values.length) return 0;
  const place = (percent / 100) * (values.length - 1);
  const below = Math.floor(place);
  select(values, below);
  const low = values[below];
  if (place === below) return low;
  let high = Infinity;
  for (let i = below + 1; i < values.length; i++) if (values[i] < high) high = values[i];
  return low + (place - below) * (high - low);
}

/**
 * Puts the value that sorting would put at a position there, smaller ones before it and larger ones after it (Hoare's
 * quickselect).
 * @param {Float32Array} values
 * @param {number} position
 */
function select(values, position) {
  let first = 0;
  let last = values.length - 1;
  while (first < last) {
    const pivot = values[(first + last) >> 1];
    let i = first;
    let j = last;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      [values[i], values[j]] = [values[j], values[i]];
      i++;
      j--;
    }
    if (position <= j) last = j;
    else if (position >= i) first = i;
    else return;
  }
}
