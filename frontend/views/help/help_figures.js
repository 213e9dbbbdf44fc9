/** The figures of the help. They show one of the samples on the page. */

import { className, decimals, precise, saying, stoppedCaption, truth } from "../../samples/captions.js";
import { someOf } from "../../samples/example.js";
import { STYLES } from "../../drawing/gradient_colors.js";
import { makePicture } from "../../drawing/picture.js";
import { flipDistanceOf, flipOf, verdictAt } from "../../samples/verdict.js";
import { element } from "../common/dom.js";
import { paintThumbnail, thumbnail } from "../common/panel.js";
import { ResponseChart } from "../detail/response.js";
import { VerdictChip } from "../card/verdict_chip.js";

/** @import {Arrays} from "../../samples/sample_arrays.js" */
/** @import {GradientStyle, Picture, Sample, Target} from "../../types.js" */
/** @import {Scene} from "../common/sample_view.js" */
/** @import {Part} from "../common/panel.js" */

/** This many fit in one row beside the text. */
const MOST_MORPHS = 5;

/** @typedef {{strength?: number, gradient?: GradientStyle}} Own the settings that differ from the rest of the page */

export class HelpFigures {
  /** @type {{canvas: HTMLCanvasElement, part: Part, own: Own}[]} */
  #panels = [];
  /** @type {Picture | null} */
  #picture = null;
  /** @type {ResponseChart | null} */
  #chart = null;
  /** @type {Record<string, HTMLElement>} by name */
  elements;

  /**
   * @param {Sample} sample
   * @param {number} place the position of the illustrated target in the sample
   */
  constructor(sample, place) {
    this.sample = sample;
    this.place = place;
    const target = sample.targets[place];
    this.goal = className(sample.session.class_names, target.index);
    this.elements = { original: this.#original(), gradient: this.#gradients(), measures: this.#measures() };
    if (target.delta_norm === null || !sample.strengths.length) return;
    this.#chart = new ResponseChart(sample, target);
    this.elements.ascent = this.#ascent(target, target.delta_norm);
    this.elements.morph = this.#morphs(target);
    this.elements.response = this.#chart.element;
    this.elements.distance = this.#distance(target, target.delta_norm);
  }

  #original() {
    const panel = this.#panel({ kind: "original" }, {}, "original");
    return figure([panel], `One of the shown samples: ${saying(this.sample)}; ${truth(this.sample)}.`);
  }

  #gradients() {
    const styles = /** @type {[GradientStyle, string][]} */ (Object.entries(STYLES));
    const panels = styles.map(([gradient, words]) =>
      this.#panel({ kind: "gradient", place: this.place }, { gradient }, words),
    );
    return figure(panels, `Its gradient → ${this.goal}, in the three styles of the Appearance menu.`);
  }

  /** @param {Target} target */
  #morphs(target) {
    const { session, strengths } = this.sample;
    const panels = someOf(strengths, MOST_MORPHS).map((strength) => {
      const chip = new VerdictChip(target, session.class_names);
      chip.element.title = chip.show(verdictAt(target, strengths, strength));
      return this.#panel({ kind: "morph", place: this.place }, { strength }, decimals(strength), chip.element);
    });
    return figure(panels, `Its morph → ${this.goal} at several strengths, with the network's predictions.`);
  }

  /**
   * @param {Target} target
   * @param {number} norm the norm of its delta
   */
  #ascent(target, norm) {
    const steps = target.steps === 1 ? "1 step" : `${target.steps} steps`;
    const end = stoppedCaption(target) || "reached the confidence";
    return example(`The sample shown here → ${this.goal}: ${steps}, ${end}. ‖delta‖ is ${precise(norm)}.`);
  }

  /**
   * @param {Target} target
   * @param {number} norm the norm of its delta
   */
  #distance(target, norm) {
    const flip = flipOf(target, this.sample.strengths);
    const distance = flipDistanceOf(target, this.sample.strengths);
    return example(
      flip === null || distance === null
        ? `The sample shown here never becomes ${this.goal}. It has no flip and no flip distance.`
        : `The sample shown here: ${precise(norm)} × ${precise(flip)} ≈ ${precise(distance)}.`,
    );
  }

  #measures() {
    const { margin, entropy, loss } = this.sample;
    const words = [`margin ${decimals(margin)}`, `entropy ${decimals(entropy)} bits`];
    if (loss !== null) words.push(`loss ${decimals(loss)} nats`);
    return example(`The sample shown here: ${words.join(", ")}.`);
  }

  /**
   * @param {Part} part
   * @param {Own} own
   * @param {string} title
   * @param {...Node} more
   */
  #panel(part, own, title, ...more) {
    const canvas = thumbnail();
    canvas.role = "img";
    canvas.ariaLabel = `${part.kind}: ${title}`;
    this.#panels.push({ canvas, part, own });
    return element("div", { className: "panel" }, canvas, element("span", {}, title), ...more);
  }

  /**
   * @param {Arrays} arrays
   * @param {Scene} scene
   */
  showArrays(arrays, scene) {
    this.#picture = makePicture(this.sample, arrays);
    this.setScene(scene);
  }

  /** @param {Scene} scene */
  setScene(scene) {
    this.#chart?.showStrength(scene.strength);
    if (!this.#picture) return;
    for (const { canvas, part, own } of this.#panels) {
      const look = { ...scene.look, gradient: own.gradient ?? scene.look.gradient };
      paintThumbnail(canvas, this.#picture, part, { ...scene, look, strength: own.strength ?? scene.strength });
    }
  }
}

/**
 * @param {HTMLElement[]} panels
 * @param {string} caption
 */
function figure(panels, caption) {
  return element("figure", {}, element("div", { className: "row" }, ...panels), element("figcaption", {}, caption));
}

/** @param {string} words */
function example(words) {
  return element("p", { className: "example" }, words);
}
