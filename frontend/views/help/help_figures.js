/** The figures of the help. They show one of the samples on the page. */

import {
  className,
  formatDecimals,
  formatPrecise,
  formatStrength,
  sampleCaption,
} from "../../samples/captions.js";
import { shownPosition } from "../../samples/morphs.js";
import { evenlySpaced } from "../../samples/help_example.js";
import { STYLES } from "../../drawing/gradient_colors.js";
import { makePicture } from "../../drawing/picture.js";
import { flipDistanceOf, flipOf, verdictAt } from "../../samples/verdict.js";
import { element } from "../common/dom.js";
import { paintThumbnail, thumbnail } from "../common/panel_canvas.js";
import { ascentCaption } from "../detail/properties.js";
import { ResponseChart } from "../detail/response_chart.js";
import { VerdictChip } from "../card/verdict_chip.js";

/** @import {Arrays} from "../../samples/sample_arrays.js" */
/** @import {GradientStyle, Morph, Picture, Sample, Target} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {PanelContent} from "../common/panel_canvas.js" */

/** This many fit in one row beside the text. */
const MOST_MORPHS = 5;

/**
 * The settings of a panel that differ from the rest of the page.
 * @typedef {{strength?: number, style?: GradientStyle}} PanelOverrides
 */

export class HelpFigures {
  /** @type {{canvas: HTMLCanvasElement, content: PanelContent, overrides: PanelOverrides}[]} */
  #panels = [];
  /** @type {Picture | null} */
  #picture = null;
  /** @type {ResponseChart | null} */
  #chart = null;
  /** @type {Record<string, HTMLElement>} by name */
  elements;

  /**
   * @param {Sample} sample
   * @param {number} position the position of the illustrated target in the sample
   * @param {string} kind the kind of morph that is shown
   */
  constructor(sample, position, kind) {
    this.sample = sample;
    this.position = position;
    const target = sample.targets[position];
    this.goal = className(sample.session.class_names, target.index);
    this.elements = { original: this.#original(), gradient: this.#gradients(), measures: this.#measures() };
    const at = shownPosition(target, kind);
    if (at < 0 || !sample.strengths.length) return;
    const morph = target.morphs[at];
    this.#chart = new ResponseChart(sample, target, morph);
    this.elements.ascent = this.#ascent(morph);
    this.elements.morph = this.#morphs(target, at);
    this.elements.change = this.#change(at);
    this.elements.response = this.#chart.element;
    this.elements.distance = this.#distance(morph);
  }

  #original() {
    const panel = this.#panel({ kind: "original" }, {}, "original");
    return figure(
      [panel],
      `One of the shown samples: ${sampleCaption(this.sample)}.`,
    );
  }

  #gradients() {
    const styles = /** @type {[GradientStyle, string][]} */ (Object.entries(STYLES));
    const panels = styles.map(([style, words]) =>
      this.#panel({ kind: "gradient", position: this.position }, { style }, words),
    );
    return figure(panels, `Its gradient → ${this.goal}, in the styles of the Appearance menu.`);
  }

  /**
   * @param {Target} target
   * @param {number} at the position of the morph in the target
   */
  #morphs(target, at) {
    const { session, strengths } = this.sample;
    const morph = target.morphs[at];
    const panels = evenlySpaced(strengths, MOST_MORPHS).map((strength) => {
      const chip = new VerdictChip(target, session.class_names);
      chip.element.title = chip.show(verdictAt(morph, strengths, strength));
      return this.#panel(
        { kind: "morph", position: this.position, morph: at },
        { strength },
        formatStrength(strength),
        chip.element,
      );
    });
    return figure(panels, `Its morph → ${this.goal} at several strengths, with the network's predictions.`);
  }

  /** @param {number} at the position of the morph in the target */
  #change(at) {
    const panel = this.#panel({ kind: "change", position: this.position, morph: at }, {}, "change");
    return figure([panel], `What the morph → ${this.goal} adds to the original, enlarged.`);
  }

  /** @param {Morph} morph */
  #ascent(morph) {
    const end = ascentCaption(morph, this.sample.strengths);
    const norm = formatPrecise(morph.delta_norm);
    return example(`The sample shown here → ${this.goal}: ${end}. ‖delta‖ is ${norm}.`);
  }

  /** @param {Morph} morph */
  #distance(morph) {
    const flip = flipOf(morph, this.sample.strengths);
    const distance = flipDistanceOf(morph, this.sample.strengths);
    const norm = morph.delta_norm;
    return example(
      flip === null || distance === null
        ? `The sample shown here never becomes ${this.goal}. It has no flip and no flip distance.`
        : `The sample shown here: ${formatPrecise(norm)} × ${formatPrecise(flip)} ≈ ${formatPrecise(distance)}.`,
    );
  }

  #measures() {
    const { margin, entropy, loss } = this.sample;
    const words = [`margin ${formatDecimals(margin)}`, `entropy ${formatDecimals(entropy)} bits`];
    if (loss !== null) words.push(`loss ${formatDecimals(loss)} nats`);
    return example(`The sample shown here: ${words.join(", ")}.`);
  }

  /**
   * @param {PanelContent} content
   * @param {PanelOverrides} overrides
   * @param {string} title
   * @param {...Node} more
   */
  #panel(content, overrides, title, ...more) {
    const canvas = thumbnail();
    canvas.role = "img";
    canvas.ariaLabel = `${content.kind}: ${title}`;
    this.#panels.push({ canvas, content, overrides });
    return element("div", { className: "panel" }, canvas, element("span", {}, title), ...more);
  }

  /**
   * @param {Arrays} arrays
   * @param {DisplaySettings} settings
   */
  showArrays(arrays, settings) {
    this.#picture = makePicture(this.sample, arrays);
    this.applySettings(settings);
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    this.#chart?.showStrength(settings.strength);
    if (!this.#picture) return;
    for (const { canvas, content, overrides } of this.#panels) {
      const gradientColors = { ...settings.gradientColors, style: overrides.style ?? settings.gradientColors.style };
      paintThumbnail(canvas, this.#picture, content, {
        ...settings,
        gradientColors,
        strength: overrides.strength ?? settings.strength,
      });
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
