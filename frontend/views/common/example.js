/** A sample as a button with small pictures: the original, and what a morph makes of it. A click opens the sample. */

import { className, formatDistance, isWrong, labelCaption, predictionCaption } from "../../samples/captions.js";
import { shownPosition } from "../../samples/morphs.js";
import { rasterOf } from "../../layout/grid_layout.js";
import { element } from "./dom.js";
import { THUMBNAIL, paintThumbnail, thumbnail } from "./panel_canvas.js";

/** @import {Picture, Raster, Sample, Target} from "../../types.js" */
/** @import {DisplaySettings} from "./sample_view.js" */
/** @import {PanelContent} from "./panel_canvas.js" */

/**
 * What an example shows beside the original. Without a target or a morph it shows the original only.
 * @typedef {"morph" | "change"} ExamplePanel
 */

export class Example {
  #panels;
  #canvases;
  /** @type {Picture | null} */
  #picture = null;
  #isBlinking = false;
  element;

  /**
   * @param {Sample} sample
   * @param {Target | null} target
   * @param {object} options
   * @param {ExamplePanel[]} options.panels
   * @param {string} options.morph the kind of morph
   * @param {number | null} [options.distance] the flip distance to the target
   * @param {(Node | string)[]} options.caption
   */
  constructor(sample, target, { panels, morph, distance = null, caption }) {
    this.sample = sample;
    const position = target ? sample.targets.indexOf(target) : -1;
    const at = target ? shownPosition(target, morph) : -1;
    this.#panels = /** @type {PanelContent[]} */ ([{ kind: "original" }]);
    if (at >= 0) for (const kind of panels) this.#panels.push({ kind, position, morph: at });
    this.#canvases = this.#panels.map(() => thumbnail());
    const words = wordsOf(sample, target, distance);
    this.element = element(
      "button",
      { type: "button", className: "example", title: words.join("\n"), ariaLabel: `Open: ${words.join(", ")}` },
      element("span", { className: "pictures" }, ...this.#canvases),
      ...caption,
    );
    this.element.dataset.sample = sample.key;
    this.element.classList.toggle("is-wrong", isWrong(sample));
  }

  get isPainted() {
    return this.#picture !== null;
  }

  /**
   * @param {Picture} picture
   * @param {DisplaySettings} settings
   */
  showPicture(picture, settings) {
    this.#picture = picture;
    this.showSettings(settings);
  }

  /** @param {DisplaySettings} settings */
  showSettings(settings) {
    if (!this.#picture) return;
    const { strengths } = this.sample;
    const strength = Math.min(1, strengths[strengths.length - 1] ?? 0);
    for (const [at, content] of this.#panels.entries()) {
      const shown = this.#isBlinking && content.kind === "morph" ? this.#panels[0] : content;
      paintThumbnail(this.#canvases[at], this.#picture, shown, { ...settings, strength });
    }
    this.element.dataset.painted = "";
  }

  /** @param {string} problem */
  showProblem(problem) {
    if (!this.#picture) this.element.title = problem;
  }

  /**
   * Shows the original in place of the morph, or the morph again.
   * @param {boolean} on
   * @param {DisplaySettings} settings
   */
  blink(on, settings) {
    if (this.#isBlinking === on) return;
    this.#isBlinking = on;
    this.showSettings(settings);
  }
}

/**
 * @param {Sample} sample
 * @param {Target | null} target
 * @param {number | null} distance
 */
function wordsOf(sample, target, distance) {
  const words = [predictionCaption(sample), labelCaption(sample)];
  if (target && distance !== null) {
    const goal = className(sample.session.class_names, target.index);
    words.push(
      distance === Infinity ? `never becomes ${goal}` : `becomes ${goal} at a distance of ${formatDistance(distance)}`,
    );
  }
  words.push(`step ${sample.step.toLocaleString("en")}`, sample.run);
  if (sample.id !== null) words.push(sample.id);
  return words;
}

/**
 * The size at which an example is painted.
 * @param {Sample} sample
 * @returns {Raster}
 */
export function exampleRaster({ shape }) {
  const [, ...sides] = shape;
  return rasterOf(shape, THUMBNAIL / Math.max(...sides), window.devicePixelRatio).raster;
}
