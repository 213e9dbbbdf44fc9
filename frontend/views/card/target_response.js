/** The texts beside a target's morph: the verdict, the response curve and the flip. */

import { className, flipCaption, stoppedCaption } from "../../samples/captions.js";
import { flipOf, verdictAt } from "../../samples/verdict.js";
import { element } from "../common/dom.js";
import { ResponseCurve } from "./response_curve.js";
import { VerdictChip } from "./verdict_chip.js";

/** @import {CardLayout} from "../../layout/grid_layout.js" */
/** @import {Sample, Target} from "../../types.js" */

/** The height of the texts above and below the curve. */
const WORDS_HEIGHT = 44;
const HIGHEST_CURVE = 120;

export class TargetResponse {
  #chip;
  #curve;

  /**
   * @param {Sample} sample
   * @param {Target} target
   * @param {CardLayout} layout
   * @param {number} largestStrength the strength at the end of every curve, so that curves can be compared
   * @param {(strength: number) => void} onStrength the user chose a strength on the curve
   */
  constructor(sample, target, { textWidth, rowHeight }, largestStrength, onStrength) {
    this.sample = sample;
    this.target = target;
    const names = sample.session.class_names;
    const goal = className(names, target.index);
    const flip = flipOf(target, sample.strengths);
    this.#chip = new VerdictChip(target, names);
    this.#chip.element.title =
      `What the network predicts for this morph, and the probability of ${goal}. ` +
      "≈ means interpolated between the two nearest recorded strengths.";
    const height = Math.min(rowHeight - WORDS_HEIGHT, HIGHEST_CURVE);
    this.#curve = new ResponseCurve(sample, target, { width: textWidth, height, largestStrength }, onStrength);
    const below = [flipCaption(flip, target, names), stoppedCaption(target)].filter(Boolean).join(" · ");
    this.element = element(
      "div",
      { className: "words" },
      this.#chip.element,
      this.#curve.element,
      element("p", { className: "flip", title: below }, below),
    );
    this.element.style.setProperty("--width", `${textWidth}px`);
    this.element.style.setProperty("--height", `${height + WORDS_HEIGHT}px`);
  }

  /** The element that takes the focus. */
  get curve() {
    return this.#curve.element;
  }

  /** @param {number} strength */
  showStrength(strength) {
    const { sample, target } = this;
    const words = this.#chip.show(verdictAt(target, sample.strengths, strength));
    this.#curve.showStrength(strength, words);
  }
}
