/** Everything else that is known of a sample, as a list of names and values. */

import { className, decimals, flipCaption, stoppedCaption } from "../../samples/captions.js";
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
    ["kind", sample.probe ? "probe: chosen to be followed" : "captured as confused"],
    ["label", label === null ? "not known" : className(session.class_names, label)],
    ["step", sample.step.toLocaleString("en")],
    ["margin", precise(sample.margin), "The largest probability minus the second largest."],
    ["entropy", `${precise(sample.entropy)} bits`, "Of all classes' probabilities."],
    ["loss", sample.loss === null ? "not known" : `${precise(sample.loss)} nats`, "The cross entropy."],
    ["shape", sample.shape.join(" × "), "Channels, then height and width, or length."],
    ["time", Number.isFinite(time.valueOf()) ? time.toLocaleString() : "not known"],
    ["ISO", Number.isFinite(time.valueOf()) ? time.toISOString() : "not known"],
    ["session", session.session],
    ["capture", `${sample.capture}, place ${sample.index}`],
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
    ["gradient norm", precise(target.gradient_norm), "‖gradient‖₂, in model units."],
  ];
  if (target.delta_norm === null) return list([...facts, ["ascent", "none was made"]]);
  return list([
    ...facts,
    ["delta norm", precise(target.delta_norm), "‖delta‖₂: how far the ascent went, in model units."],
    ["ascent", `${target.steps} steps; ${stoppedCaption(target) || "reached its confidence"}`],
    ["flip", flipCaption(flip, target, names)],
    [
      "flip distance",
      distance === null ? "none" : precise(distance),
      "‖delta‖₂ × the strength of the flip: how far the image was changed until the network said the target.",
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

/** @param {number} value */
export function precise(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : decimals(value);
}
