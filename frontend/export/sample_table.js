/**
 * A table of all numbers of the samples, with one row for each morph. A target without a morph has one row, and so has a
 * sample without targets. The columns `flip` and `flip_distance` mean the smallest morph of the target. All columns
 * from `morph` on are about the morph of the row. Pure.
 */

import { smallest } from "../samples/morphs.js";
import { flipDistanceOf, flipOf } from "../samples/verdict.js";

/** @import {Cell} from "./csv.js" */
/** @import {Morph, Sample, Target} from "../types.js" */

/**
 * The name and the content of a column.
 * @typedef {[string, (sample: Sample, target: Target | null, morph: Morph | null) => Cell]} Column
 */

/**
 * A list of numbers is one text, with spaces between the numbers.
 * @type {Column[]}
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
  ["gradient_p99", (_, target) => target && target.gradient_p99],
  ["flip", ({ strengths }, target) => flipOfSmallest(target, strengths)],
  ["flip_distance", ({ strengths }, target) => target && flipDistanceOf(smallest(target), strengths)],
  ["morph", (_, __, morph) => morph && morph.name],
  ["delta_norm", (_, __, morph) => morph && morph.delta_norm],
  ["largest_change", (_, __, morph) => morph && morph.largest_change],
  ["mean_change", (_, __, morph) => morph && morph.mean_change],
  ["steps", (_, __, morph) => morph && morph.steps],
  ["stopped", (_, __, morph) => morph && morph.stopped],
  ["morph_flip", ({ strengths }, _, morph) => morph && flipOf(morph, strengths)],
  ["survived", (_, __, morph) => morph && morph.survived.map(Number).join(" ")],
  ["spread", (_, __, morph) => morph && (morph.spread?.join(" ") ?? null)],
  ["strengths", ({ strengths }, _, morph) => morph && strengths.join(" ")],
  ["target_probabilities", (_, __, morph) => morph && morph.probabilities.join(" ")],
  ["original_probabilities", (_, __, morph) => morph && morph.original_probabilities.join(" ")],
  ["predictions", (_, __, morph) => morph && morph.predictions.join(" ")],
];

/**
 * @param {Sample[]} samples
 * @returns {Cell[][]} the names of the columns and then the rows
 */
export function numbersOf(samples) {
  const columns = [...COLUMNS, ...judgeColumns(samples)];
  const rows = samples.flatMap((sample) =>
    (sample.targets.length ? sample.targets : [null]).flatMap((target) =>
      (target?.morphs.length ? target.morphs : [null]).map((morph) =>
        columns.map(([, cell]) => cell(sample, target, morph)),
      ),
    ),
  );
  return [columns.map(([name]) => name), ...rows];
}

/**
 * For each judge its probabilities of the target, and its predictions.
 * @param {Sample[]} samples
 * @returns {Column[]}
 */
function judgeColumns(samples) {
  const names = new Set(
    samples.flatMap(({ targets }) =>
      targets.flatMap(({ morphs }) => morphs.flatMap(({ judges }) => judges.map(({ name }) => name))),
    ),
  );
  return [...names].flatMap((name) => {
    const judgeOf = (/** @type {Morph | null} */ morph) => morph?.judges.find((judge) => judge.name === name);
    return /** @type {Column[]} */ ([
      [`judge ${name}: target_probabilities`, (_, __, morph) => judgeOf(morph)?.probabilities.join(" ") ?? null],
      [`judge ${name}: predictions`, (_, __, morph) => judgeOf(morph)?.predictions.join(" ") ?? null],
    ]);
  });
}

/**
 * @param {Target | null} target
 * @param {number[]} strengths
 */
function flipOfSmallest(target, strengths) {
  const morph = target && smallest(target);
  return morph && flipOf(morph, strengths);
}

/**
 * @param {string[] | null} names
 * @param {number | null | undefined} index
 */
function nameOf(names, index) {
  return (typeof index === "number" && names?.[index]) || null;
}
