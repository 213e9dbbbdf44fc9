/** All numbers of samples as a table: a row a target, with what is known of its sample. Pure. */

import { flipDistanceOf, flipOf } from "../samples/verdict.js";

/** @import {Cell} from "./csv.js" */
/** @import {Sample, Target} from "../types.js" */

/**
 * A column's name and what stands in it. Lists of numbers are texts, with a space between them.
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
 * @returns {Cell[][]} the columns' names first; a sample without a target has a row as well
 */
export function numbersOf(samples) {
  const rows = samples.flatMap((sample) =>
    (sample.targets.length ? sample.targets : [null]).map((target) =>
      COLUMNS.map(([, cell]) => cell(sample, target)),
    ),
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
