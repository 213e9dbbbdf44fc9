/** Where the items of a list are, in CSS pixels. Pure. */

/**
 * @typedef {object} Places
 * @property {{width?: number, height: number}} size of the whole list
 * @property {(position: number) => {top: number, height: number, left?: number, width?: number}} boxOf
 * @property {(top: number, bottom: number) => {first: number, end: number}} between the items that overlap with a range
 *   of heights: from `first` to `end`, without `end`
 */

/**
 * Rows of one height.
 * @param {number} count
 * @param {number} height
 * @param {number} [width] the default is the width of the page
 * @returns {Places}
 */
export function equalRows(count, height, width) {
  return {
    size: width === undefined ? { height: count * height } : { width, height: count * height },
    boxOf: (position) => ({ top: position * height, height }),
    between: (top, bottom) => {
      const first = Math.min(Math.max(Math.floor(top / height), 0), count);
      return { first, end: Math.max(Math.min(Math.ceil(bottom / height), count), first) };
    },
  };
}

/**
 * Rows of any heights.
 * @param {number[]} tops the top of each row, and then the bottom of the last one
 * @param {number} width
 * @returns {Places}
 */
export function rowsFrom(tops, width) {
  return {
    size: { width, height: tops[tops.length - 1] },
    boxOf: (position) => ({ top: tops[position], height: tops[position + 1] - tops[position] }),
    between: (top, bottom) => rowsBetween(tops, top, bottom),
  };
}

/**
 * The rows that overlap with a range of heights: from `first` to `end`, without `end`.
 * @param {number[]} tops the top of each row, and then the bottom of the last one
 * @param {number} top
 * @param {number} bottom
 */
export function rowsBetween(tops, top, bottom) {
  const last = tops.length - 1;
  let first = 0;
  let high = last;
  while (first < high) {
    const middle = (first + high) >> 1;
    if (tops[middle + 1] <= top) first = middle + 1;
    else high = middle;
  }
  let end = first;
  while (end < last && tops[end] < bottom) end++;
  return { first, end };
}
