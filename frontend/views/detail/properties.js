/** The properties of a sample and of its targets, as lists of names and values. */

import { className, flipCaption, formatCounted, formatPrecise, stoppedCaption } from "../../samples/captions.js";
import { flipDistanceOf, flipOf } from "../../samples/verdict.js";
import { element } from "../common/dom.js";

/** @import {Morph, Sample, Target} from "../../types.js" */

/** @param {Sample} sample */
export function sampleProperties(sample) {
  const { session, label } = sample;
  const time = new Date(1000 * sample.wall_time);
  return list([
    ["run", sample.run],
    ["tag", sample.tag],
    ["id", sample.id ?? "none"],
    ["kind", sample.probe ? "probe: followed through the training" : "confused"],
    ["label", label === null ? "none" : className(session.class_names, label)],
    ["step", sample.step.toLocaleString("en")],
    ["margin", formatPrecise(sample.margin), "The largest probability minus the second largest"],
    ["entropy", `${formatPrecise(sample.entropy)} bits`, "The entropy of the probabilities of all classes"],
    [
      "loss",
      sample.loss === null ? "unknown" : `${formatPrecise(sample.loss)} nats`,
      "The cross entropy: −ln of the probability of the label",
    ],
    ["shape", sample.shape.join(" × "), "Channels × height × width, or channels × length"],
    ["time", Number.isFinite(time.valueOf()) ? time.toLocaleString() : "unknown"],
    ["ISO", Number.isFinite(time.valueOf()) ? time.toISOString() : "unknown"],
    ["session", session.session],
    ["capture", `${sample.capture}, index ${sample.index}`],
  ]);
}

/**
 * @param {Sample} sample
 * @param {Target} target
 * @param {Morph | null} morph the morph that is shown
 */
export function targetProperties(sample, target, morph) {
  const names = sample.session.class_names;
  /** @type {Property[]} */
  const properties = [["gradient norm", formatPrecise(target.gradient_norm), "‖gradient‖₂, in model units"]];
  if (!morph) return list([...properties, ["ascent", "none"]]);
  const flip = flipOf(morph, sample.strengths);
  const distance = flipDistanceOf(morph, sample.strengths);
  if (target.gradient_p99 !== null) {
    properties.push(["gradient p99", formatPrecise(target.gradient_p99), "99 % of the gradient's magnitudes are smaller"]);
  }
  properties.push(["delta norm", formatPrecise(morph.delta_norm), "‖delta‖₂: how far the ascent went, in model units"]);
  if (morph.largest_change !== null) {
    properties.push(["largest change", formatPrecise(morph.largest_change), "max |delta|, in model units"]);
  }
  return list([
    ...properties,
    ["ascent", ascentCaption(morph, sample.strengths)],
    ["flip", flipCaption(flip, target, names).long],
    [
      "flip distance",
      distance === null ? "none" : formatPrecise(distance),
      "‖delta‖₂ × strength of the flip: the size of the change that makes the network predict the target",
    ],
  ]);
}

/**
 * How the ascent ended: "reached the confidence after 3 steps".
 * @param {Morph} morph
 * @param {number[]} strengths the sample's
 */
export function ascentCaption(morph, strengths) {
  const steps = formatCounted(morph.steps, "step");
  const early = stoppedCaption(morph, strengths).long;
  if (!early) return `reached the confidence after ${steps}`;
  return early.includes(steps) ? early : `${early} after ${steps}`;
}

/** @typedef {[name: string, value: string, meaning?: string]} Property */

/** @param {Property[]} properties */
function list(properties) {
  return element(
    "dl",
    { className: "facts" },
    ...properties.flatMap(([name, value, title]) => [
      element("dt", title ? { title } : {}, name),
      element("dd", { title: value }, value),
    ]),
  );
}
