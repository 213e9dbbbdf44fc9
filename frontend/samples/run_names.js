/** Short names of runs. Pure. */

/** Where a name may be split. */
const SEPARATOR = /[/_.\-\s]/;
/** The end of a name that stays visible if the name is cut in the middle, in letters. */
const TAIL = 8;

/**
 * The start that all names share, up to a separator. It ends before the last part of the shortest name.
 * @param {string[]} names
 */
export function sharedStart(names) {
  if (names.length < 2) return "";
  const [first, ...others] = names;
  let length = 0;
  while (length < first.length && others.every((name) => name[length] === first[length])) length++;
  while (length > 0 && !SEPARATOR.test(first[length - 1])) length--;
  return names.some((name) => name.length <= length) ? "" : first.slice(0, length);
}

/**
 * A name in two pieces, so that it can be cut in the middle: both ends of a long name tell runs apart.
 * @param {string} name
 * @returns {[start: string, end: string]}
 */
export function inTwo(name) {
  const letters = [...name];
  return letters.length <= 2 * TAIL ? [name, ""] : [letters.slice(0, -TAIL).join(""), letters.slice(-TAIL).join("")];
}
