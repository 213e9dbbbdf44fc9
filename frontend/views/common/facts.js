/** The properties of a sample and of its targets, as lists of names and values. */

import { className, flipCaption, precise, stoppedCaption } from "../../samples/captions.js";
import { flipDistanceOf, flipOf } from "../../samples/verdict.js";
import { element } from "./dom.js";

/** @import {Sample, Target} from "../../types.js" */

/** @param {Sample} sample */
export function sampleFacts(sample) {
  const { session, label } = sample;
  const time = new Date(1000 * sample.wall_time);
  return list([
    ["run", sample.run],
    ["tag", sample.tag],
    ["id", sample.id ?? "none"],
    ["kind", sample.probe ? "probe: followed through the training" : "confused"],
    ["label", label === null ? "none" : className(session.class_names, label)],
    ["step", sample.step.toLocaleString("en")],
    ["margin", precise(sample.margin), "The largest probability minus the second largest"],
    ["entropy", `${precise(sample.entropy)} bits`, "The entropy of the probabilities of all classes"],
    ["loss", sample.loss === null ? "unknown" : `${precise(sample.loss)} nats`, "The cross entropy: −ln of the probability of the label"],
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
 */
export function targetFacts(sample, target) {
  const names = sample.session.class_names;
  const flip = flipOf(target, sample.strengths);
  const distance = flipDistanceOf(target, sample.strengths);
  /** @type {Fact[]} */
  const facts = [
    ["gradient norm", precise(target.gradient_norm), "‖gradient‖₂, in model units"],
  ];
  if (target.delta_norm === null) return list([...facts, ["ascent", "none"]]);
  return list([
    ...facts,
    ["delta norm", precise(target.delta_norm), "‖delta‖₂: how far the ascent went, in model units"],
    ["ascent", `${target.steps} steps; ${stoppedCaption(target) || "reached the confidence"}`],
    ["flip", flipCaption(flip, target, names)],
    [
      "flip distance",
      distance === null ? "none" : precise(distance),
      "‖delta‖₂ × strength of the flip: the size of the change that makes the network predict the target",
    ],
  ]);
}

/** @typedef {[name: string, value: string, meaning?: string]} Fact */

/** @param {Fact[]} facts */
function list(facts) {
  return element(
    "dl",
    { className: "facts" },
    ...facts.flatMap(([name, value, title]) => [
      element("dt", title ? { title } : {}, name),
      element("dd", { title: value }, value),
    ]),
  );
}
