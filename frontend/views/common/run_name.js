/** The name of a run. If there is too little room, it is cut in the middle. */

import { inTwo } from "../../samples/run_names.js";
import { element } from "./dom.js";

/**
 * @param {string} run
 * @param {string} [start] what all names share; it is left out
 */
export function runName(run, start = "") {
  const [first, last] = inTwo(run.slice(start.length));
  return element(
    "span",
    { className: "run-label", title: run },
    element("span", { className: "cut" }, first),
    ...(last ? [element("span", {}, last)] : []),
  );
}
