/** Python that loads the same samples with `read_samples`. Pure. */

/** @import {Sample} from "../types.js" */

/** A longer list belongs in a file, not in somebody's notebook. */
export const MOST_IN_SNIPPET = 2_000;

/** What a reader of code cannot see, or sees in another place than it stands. */
const INVISIBLE = /(?! )[\p{C}\p{Z}]/u;

/**
 * @param {Sample[]} samples of one tag, in the order in which they are to come
 */
export function snippetOf(samples) {
  const some = samples.slice(0, MOST_IN_SNIPPET);
  const keys = some.map(
    ({ run, step, wall_time, index }) => `    (${literal(run)}, ${step}, ${number(wall_time)}, ${index}),`,
  );
  const cut =
    some.length < samples.length ? ` # the first ${some.length} of ${samples.length} that were shown` : "";
  return `from tb_gradascent import read_samples

logdir = "runs"  # the directory that TensorBoard was given
wanted = [  # run, step, wall time, place in the capture${cut && `;${cut.slice(2)}`}
${keys.join("\n")}
]
runs = {run for run, *_ in wanted}
places = {key: place for place, key in enumerate(wanted)}
found = {}
for run in sorted(runs):
    for sample in read_samples(logdir, run=run, tag=${literal(samples[0]?.tag ?? "")}):
        place = places.get((sample.run, sample.step, sample.wall_time, sample.index))
        if place is not None:
            found[place] = sample
samples = [found[place] for place in sorted(found)]
`;
}

/**
 * A text as Python's own, whatever a stranger put into it: nothing ends the literal, and nothing in
 * it is invisible.
 * @param {string} text
 */
export function literal(text) {
  const signs = Array.from(text, (sign) => {
    if (sign === '"' || sign === "\\") return `\\${sign}`;
    if (!INVISIBLE.test(sign)) return sign;
    const point = /** @type {number} */ (sign.codePointAt(0));
    return point > 0xffff
      ? `\\U${point.toString(16).padStart(8, "0")}`
      : `\\u${point.toString(16).padStart(4, "0")}`;
  });
  return `"${signs.join("")}"`;
}

/**
 * A float, not an integer: Python compares both alike, but a reader should see which it is.
 * @param {number} value finite
 */
function number(value) {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
