/**
 * The texts beside a target's morph: the verdict, the response curve, the flip, the end of the ascent, the spread, the
 * survival and the judges.
 */

import {
  className,
  flipCaption,
  judgeCaption,
  spreadCaption,
  stoppedCaption,
  survivalCaption,
} from "../../samples/captions.js";
import { CAPTION } from "../../layout/grid_layout.js";
import { flipOf, isFlipped, probabilityAt, verdictAt } from "../../samples/verdict.js";
import { element } from "../common/dom.js";
import { cutIfWide, textWidth } from "../common/text_width.js";
import { ResponseCurve } from "./response_curve.js";
import { VerdictChip } from "./verdict_chip.js";

/** @import {Morph, Response, Sample, Target} from "../../types.js" */

/** The height of the texts above and below the curve: the verdict and the flip. */
const WORDS_HEIGHT = 44;
const HIGHEST_CURVE = 120;

export class TargetResponse {
  #chip;
  #curve;
  #flip;
  #never;
  /** @type {{judge: Response, line: HTMLElement}[]} */
  #judges;

  /**
   * @param {Sample} sample
   * @param {Target} target
   * @param {Morph} morph of the target
   * @param {{textWidth: number, rowHeight: number}} size in CSS pixels
   * @param {number} largestStrength the strength at the end of every curve, so that curves can be compared
   * @param {(strength: number) => void} onStrength the user chose a strength on the curve
   */
  constructor(sample, target, morph, { textWidth, rowHeight }, largestStrength, onStrength) {
    this.sample = sample;
    this.target = target;
    this.morph = morph;
    const names = sample.session.class_names;
    const goal = className(names, target.index);
    const flip = flipOf(morph, sample.strengths);
    this.#never = flip === null;
    this.#chip = new VerdictChip(target, names);
    this.#chip.element.title =
      `What the network predicts for this morph, and the probability of ${goal}. ` +
      "≈ means interpolated between the two nearest recorded strengths.";
    const below = flipCaption(flip, target, names);
    this.#flip = element("p", { className: "flip", title: below.long }, fitting(below, textWidth));
    cutIfWide(this.#flip, textWidth);
    this.#judges = morph.judges.map((judge) => ({ judge, line: element("p", { className: "judge" }) }));
    const more = [
      ...stoppedLine(morph, sample.strengths, textWidth),
      ...spreadLine(morph, goal, textWidth),
      ...survivalLine(morph, goal, textWidth),
      ...this.#judges.map(({ line }) => line),
    ];
    const room = rowHeight - WORDS_HEIGHT - CAPTION * more.length;
    const height = Math.min(room, HIGHEST_CURVE);
    this.#curve = new ResponseCurve(sample, target, morph, { width: textWidth, height, largestStrength }, onStrength);
    this.element = element(
      "div",
      { className: "words" },
      this.#chip.element,
      this.#curve.element,
      this.#flip,
      ...more,
    );
    this.element.style.setProperty("--width", `${textWidth}px`);
    this.element.style.setProperty("--height", `${height + WORDS_HEIGHT + CAPTION * more.length}px`);
  }

  /** The element that takes the focus. */
  get curve() {
    return this.#curve.element;
  }

  /**
   * @param {number} strength
   * @param {boolean} atFlip whether each morph is shown at its flip: then a morph that never flips is marked
   */
  showStrength(strength, atFlip) {
    const { sample, target, morph } = this;
    const words = this.#chip.show(verdictAt(morph, sample.strengths, strength));
    this.#curve.showStrength(strength, words);
    this.#flip.classList.toggle("never", atFlip && this.#never);
    for (const { judge, line } of this.#judges) showJudge(line, judge, sample, target, strength);
  }
}

/**
 * The longer form of a caption that fits.
 * @param {{long: string, short: string}} caption
 * @param {number} width in CSS pixels
 */
function fitting({ long, short }, width) {
  return textWidth(long, "small") <= width ? long : short;
}

/**
 * @param {Morph} morph
 * @param {number[]} strengths
 * @param {number} width
 * @returns {HTMLElement[]} empty if the target reached the confidence
 */
function stoppedLine(morph, strengths, width) {
  const caption = stoppedCaption(morph, strengths);
  if (!caption.long) return [];
  return [element("p", { className: "stopped", title: caption.long }, fitting(caption, width))];
}

/**
 * @param {Morph} morph
 * @param {string} goal
 * @param {number} width
 * @returns {HTMLElement[]} empty if it is unknown
 */
function survivalLine(morph, goal, width) {
  const caption = survivalCaption(morph);
  const { long, fragile } = caption;
  if (!long) return [];
  const title = `${long}: so often the network still predicts ${goal} if the finished morph is changed a little`;
  const line = element("p", { className: "survival", title }, fitting(caption, width));
  line.classList.toggle("fragile", fragile);
  return [line];
}

/**
 * @param {Morph} morph
 * @param {string} goal
 * @param {number} width
 * @returns {HTMLElement[]} empty if the network answers the same twice
 */
function spreadLine(morph, goal, width) {
  const caption = spreadCaption(morph);
  if (!caption.long) return [];
  return [element("p", { className: "spread", title: spreadTitle(caption.long, goal) }, fitting(caption, width))];
}

/**
 * What a spread means.
 * @param {string} caption
 * @param {string} goal
 */
export function spreadTitle(caption, goal) {
  return `${caption}: the network answers at random. These are the lowest and the highest probability of ${goal} for the finished morph; the verdict at 100 % of the change is the mean`;
}

/**
 * Writes a judge's probability of the target at a strength.
 * @param {HTMLElement} line
 * @param {Response} judge
 * @param {Sample} sample
 * @param {Target} target
 * @param {number} strength
 */
export function showJudge(line, judge, { strengths }, target, strength) {
  const caption = judgeCaption(judge.name, probabilityAt(strengths, judge.probabilities, strength));
  line.textContent = caption;
  line.title = `${caption}: what another network, ${judge.name}, gives to the target`;
  line.classList.toggle("convinced", isFlipped(verdictAt(judge, strengths, strength), target));
}
