/** A table of all numbers of the samples, with one row for each target. Pure. */

import { flipDistanceOf, flipOf } from "../samples/verdict.js";

/** @import {Cell} from "./csv.js" */
/** @import {Sample, Target} from "../types.js" */

/**
 * The name and the content of each column. A list of numbers is one text, with spaces between the numbers.
 * @type {[string, (sample: Sample, target: Target | null) => Cell][]}
 */
const COLUMNS = [
  ["run", ({ run }) => run],
  ["tag", ({ tag }) => tag],
  ["step", ({ step }) => step],
  ["wall_time", ({ wall_time }) => wall_time],
  ["index", ({ index }) => index],
  ["id", ({ id }) => id],
  ["probe", ({ probe }) => probe],
  ["label", ({ label }) => label],
  ["label_name", ({ label, session }) => nameOf(session.class_names, label)],
  ["prediction", ({ classes }) => classes[0] ?? null],
  ["prediction_name", ({ classes, session }) => nameOf(session.class_names, classes[0])],
  ["margin", ({ margin }) => margin],
  ["entropy", ({ entropy }) => entropy],
  ["loss", ({ loss }) => loss],
  ["classes", ({ classes }) => classes.join(" ")],
  ["probabilities", ({ probabilities }) => probabilities.join(" ")],
  ["target", (_, target) => target && target.index],
  ["target_name", ({ session }, target) => target && nameOf(session.class_names, target.index)],
  ["gradient_norm", (_, target) => target && target.gradient_norm],
  ["delta_norm", (_, target) => target && target.delta_norm],
  ["steps", (_, target) => target && target.steps],
  ["stopped", (_, target) => target && target.stopped],
  ["flip", ({ strengths }, target) => target && flipOf(target, strengths)],
  ["flip_distance", ({ strengths }, target) => target && flipDistanceOf(target, strengths)],
  ["strengths", ({ strengths }, target) => target && strengths.join(" ")],
  ["target_probabilities", (_, target) => target && target.probabilities.join(" ")],
  ["original_probabilities", (_, target) => target && target.original_probabilities.join(" ")],
  ["predictions", (_, target) => target && target.predictions.join(" ")],
];

/**
 * @param {Sample[]} samples
 * @returns {Cell[][]} the names of the columns and then the rows; a sample without targets has one row
 */
export function numbersOf(samples) {
  const rows = samples.flatMap((sample) =>
    (sample.targets.length ? sample.targets : [null]).map((target) => COLUMNS.map(([, cell]) => cell(sample, target))),
  );
  return [COLUMNS.map(([name]) => name), ...rows];
}

/**
 * @param {string[] | null} names
 * @param {number | null | undefined} index
 */
function nameOf(names, index) {
  return (typeof index === "number" && names?.[index]) || null;
}
