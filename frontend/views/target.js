/** What stands beside a target's morph: the verdict, its curve over the strengths, the flip. */

import { className, flipCaption, stoppedCaption, verdictCaption } from "../captions.js";
import { TEXT_WIDTH } from "../layout.js";
import { flipOf, isFlipped, verdictAt } from "../verdict.js";
import { drawing, element } from "./dom.js";

/** @import {Sample, Target} from "../types.js" */

const CURVE_HEIGHT = 26;
/** Room for the flip's dot at the edges of the curve. */
const INSET = 3;

export class TargetWords {
  /** @type {Text} */
  #caption = document.createTextNode("");
  #verdict;
  #now;

  /**
   * @param {Sample} sample
   * @param {Target} target
   * @param {number} largestStrength where every curve ends, so that all can be compared
   */
  constructor(sample, target, largestStrength) {
    this.sample = sample;
    this.target = target;
    this.largestStrength = largestStrength;
    const names = sample.session.class_names;
    const goal = className(names, target.index);
    const flip = flipOf(target, sample.strengths);
    this.#verdict = element(
      "p",
      {
        className: "verdict chip",
        title:
          `What the network says of this morph, and the probability of ${goal}. ` +
          "≈ is interpolated between the two nearest strengths at which it was asked.",
      },
      this.#caption,
    );
    this.#verdict.dataset.target = String(target.index);
    // An element of its own: to move a part of a drawing lays the whole drawing out again.
    this.#now = element("div", { className: "now" });
    const stopped = stoppedCaption(target);
    this.element = element(
      "div",
      { className: "words" },
      this.#verdict,
      this.#curve(flip),
      element("p", { className: "flip" }, flipCaption(flip, target, names)),
    );
    if (stopped) this.element.append(element("p", { className: "stopped", title: stopped }, stopped));
  }

  /** @param {number | null} flip */
  #curve(flip) {
    const { sample, target } = this;
    const points = sample.strengths
      .map((strength, place) => ({ strength, probability: target.probabilities[place] }))
      .filter(({ probability }) => Number.isFinite(probability));
    const line = points.map((point) => `${this.#x(point.strength)},${height(point.probability)}`);
    const curve = drawing(
      "svg",
      { width: TEXT_WIDTH, height: CURVE_HEIGHT, "aria-hidden": "true" },
      drawing("polyline", { points: line.join(" ") }),
    );
    const end = points.find(({ strength }) => strength === flip);
    if (end) {
      const dot = { class: "dot", cx: this.#x(end.strength), cy: height(end.probability), r: INSET };
      curve.append(drawing("circle", dot));
    }
    return element("div", { className: "curve" }, curve, this.#now);
  }

  /** @param {number} strength */
  #x(strength) {
    return INSET + (strength / (this.largestStrength || 1)) * (TEXT_WIDTH - 2 * INSET);
  }

  /** @param {number} strength */
  showStrength(strength) {
    const { sample, target } = this;
    const verdict = verdictAt(target, sample.strengths, strength);
    const caption = verdictCaption(verdict, target, sample.session.class_names);
    if (caption !== this.#caption.data) this.#caption.data = caption;
    this.#verdict.classList.toggle("flipped", isFlipped(verdict, target));
    this.#verdict.classList.toggle("open", verdict.kind === "either" || verdict.kind === "unknown");
    this.#now.style.transform = `translateX(${this.#x(strength)}px)`;
  }
}

/** @param {number} probability */
function height(probability) {
  return INSET + (1 - probability) * (CURVE_HEIGHT - 2 * INSET);
}
