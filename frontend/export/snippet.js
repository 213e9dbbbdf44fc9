/** Python code that loads the same samples with `read_samples`. Pure. */

import { REVIEWS } from "../samples/label_review.js";

/** @import {Reviews} from "../samples/label_review.js" */
/** @import {Sample} from "../types.js" */

/** A longer list of samples is too long for a notebook. */
export const MOST_IN_SNIPPET = 2_000;

/** Characters that are invisible in code, or that move the text around them. */
const INVISIBLE = /(?! )[\p{C}\p{Z}]/u;

/**
 * @param {Sample[]} samples samples of one tag; the code returns them in this order
 */
export function snippetOf(samples) {
  const some = samples.slice(0, MOST_IN_SNIPPET);
  const keys = some.map(
    ({ run, step, wall_time, index }) => `    (${literal(run)}, ${step}, ${number(wall_time)}, ${index}),`,
  );
  const cut = some.length < samples.length ? ` # the first ${some.length} of the ${samples.length} shown samples` : "";
  return `from tb_gradascent import read_samples

logdir = "runs"  # the directory that TensorBoard was given
wanted = [  # run, step, wall time, index in the capture${cut && `;${cut.slice(2)}`}
${keys.join("\n")}
]
runs = {run for run, *_ in wanted}
positions = {key: position for position, key in enumerate(wanted)}
found = {}
for run in sorted(runs):
    for sample in read_samples(logdir, run=run, tag=${literal(samples[0]?.tag ?? "")}):
        position = positions.get((sample.run, sample.step, sample.wall_time, sample.index))
        if position is not None:
            found[position] = sample
samples = [found[position] for position in sorted(found)]
`;
}

/**
 * Python lists of the reviewed ids, one for each kind of review.
 * @param {Reviews} reviews
 */
export function reviewSnippet(reviews) {
  return REVIEWS.map((review) => {
    const ids = [...reviews].filter(([, one]) => one === review).map(([id]) => `    ${literal(id)},\n`);
    return `${review === "model" ? "models_fault" : review} = [${ids.length ? `\n${ids.join("")}` : ""}]\n`;
  }).join("");
}

/**
 * A text as a Python string literal. A text from a stranger cannot end the literal, and it has no invisible
 * characters.
 * @param {string} text
 */
export function literal(text) {
  const signs = Array.from(text, (sign) => {
    if (sign === '"' || sign === "\\") return `\\${sign}`;
    if (!INVISIBLE.test(sign)) return sign;
    const point = /** @type {number} */ (sign.codePointAt(0));
    return point > 0xffff ? `\\U${point.toString(16).padStart(8, "0")}` : `\\u${point.toString(16).padStart(4, "0")}`;
  });
  return `"${signs.join("")}"`;
}

/**
 * Writes a float, never an integer, so that the reader sees the type.
 * @param {number} value finite
 */
function number(value) {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
