/** One sample: its words, and one canvas that holds all its panels. */

import { allProbabilities, channelsCaption, className, decimals, isWrong, saying, truth } from "../captions.js";
import { PALETTES } from "../colormap.js";
import { HEADING, LEAST_COLUMN } from "../layout.js";
import { paintGradient, paintImage, paintMorph } from "../pixels.js";
import { element, place } from "./dom.js";
import { TargetWords } from "./target.js";

/** @import {CardLayout} from "../layout.js" */
/** @import {Picture, Rectangle, Sample, Theme} from "../types.js" */

/** The width of a heading's letter, about. */
const LETTER = 5.8;

/**
 * @typedef {object} Scene what all cards have in common
 * @property {number} strength
 * @property {number} largestStrength
 * @property {Theme} theme
 * @property {((run: string) => string) | null} runColour `null` where there is one run only
 */

export class Card {
  #canvas;
  #body;
  /** @type {TargetWords[]} */
  #words = [];
  /** @type {HTMLElement | null} */
  #problem = null;
  /** @type {Picture | null} */
  #picture = null;
  /** @type {ImageData | null} */
  #image = null;
  /** @type {Uint32Array} */
  #pixels = new Uint32Array();

  /**
   * @param {Sample} sample
   * @param {CardLayout} layout
   * @param {Scene} scene
   */
  constructor(sample, layout, scene) {
    this.sample = sample;
    this.layout = layout;
    const { canvas, panels, zoom } = layout;
    this.#canvas = element("canvas", { className: "panels" });
    if (layout.drawable) {
      this.#canvas.width = canvas.width;
      this.#canvas.height = canvas.height;
    }
    this.#canvas.classList.toggle("crisp", zoom >= 1);
    this.#canvas.dataset.panels = JSON.stringify(panels);
    place(this.#canvas, { top: HEADING, width: canvas.width * zoom, height: canvas.height * zoom });
    this.#body = element("div", { className: "body" }, this.#canvas);
    this.element = element("article", { className: "sample", tabIndex: -1 }, this.#title(), this.#body);
    this.element.dataset.sample = sample.key;
    const channels = channelsCaption(sample.shape);
    const [left, top, width, height] = panels.image;
    const room = Math.max(width, LEAST_COLUMN / zoom);
    this.#head("original", [left, top, room, height], channels ? `original: ${channels}` : "original");
    this.#addMeta(scene.runColour);
    panels.targets.forEach((target, row) => this.#addTarget(target, row, scene));
    this.#canvas.role = "img";
    this.#canvas.ariaLabel = `The original${sample.targets
      .map(({ index, delta_norm }) => {
        const name = className(sample.session.class_names, index);
        return `, the gradient towards ${name}${delta_norm === null ? "" : " and the morph to it"}`;
      })
      .join("")}`;
    for (const words of this.#words) words.showStrength(scene.strength);
    if (!layout.drawable) {
      this.showProblem("This sample is too large for the grid.");
    }
  }

  #title() {
    const { sample, layout } = this;
    const verdict = element("span", { className: isWrong(sample) ? "wrong" : "right" }, truth(sample));
    const title = element("h2", { title: allProbabilities(sample) }, saying(sample), "; ", verdict);
    title.style.setProperty("--lines", String(layout.titleLines));
    return title;
  }

  /** @param {Scene["runColour"]} runColour */
  #addMeta(runColour) {
    const { sample, layout } = this;
    const { panels, zoom } = layout;
    const [, , width, height] = panels.image;
    const meta = element(
      "ul",
      { className: "meta" },
      element("li", {}, `step ${sample.step.toLocaleString("en")}`),
      element(
        "li",
        { title: "The largest probability minus the second largest." },
        `margin ${decimals(sample.margin)}`,
      ),
    );
    if (sample.id !== null) meta.append(element("li", { title: sample.id }, sample.id));
    if (runColour) {
      const dot = element("span", { className: "run-colour" });
      dot.style.background = runColour(sample.run);
      meta.append(element("li", { title: sample.run }, dot, sample.run));
    }
    if (sample.probe) {
      const title = "A sample that you chose to follow through the training.";
      meta.append(element("li", {}, element("span", { className: "probe", title }, "probe")));
    }
    place(meta, { top: HEADING + height * zoom, width: Math.max(width * zoom, LEAST_COLUMN) });
    this.#body.append(meta);
  }

  /**
   * @param {import("../types.js").TargetPanels} panels
   * @param {number} row
   * @param {Scene} scene
   */
  #addTarget({ gradient, morph }, row, scene) {
    const { sample, layout } = this;
    const { canvas, zoom } = layout;
    const target = sample.targets[row];
    const name = className(sample.session.class_names, target.index);
    const heading = `gradient → ${name}`;
    if (!morph || gradient[2] * zoom >= heading.length * LETTER) {
      this.#head(heading, gradient);
      if (morph) this.#head(`morph → ${name}`, morph);
    } else {
      const [left, top, , height] = gradient;
      const width = morph[0] + morph[2] - left;
      const shared = `gradient, morph → ${name}`;
      const fits = width * zoom >= shared.length * LETTER;
      this.#head(fits ? shared : `→ ${name}`, [left, top, width, height], shared);
    }
    if (!sample.strengths.length) return;
    const words = new TargetWords(sample, target, scene.largestStrength);
    const [, top] = gradient;
    place(words.element, { left: canvas.width * zoom, top: HEADING + top * zoom });
    this.#words.push(words);
    this.#body.append(words.element);
  }

  /**
   * @param {string} text
   * @param {Rectangle} panel
   * @param {string} title
   */
  #head(text, [left, top, width], title = text) {
    const { zoom } = this.layout;
    const heading = element("span", { className: "heading", title }, text);
    place(heading, { left: left * zoom, top: top * zoom, width: width * zoom });
    this.#body.append(heading);
  }

  /**
   * @param {Picture} picture
   * @param {Scene} scene
   */
  showPicture(picture, scene) {
    if (!this.layout.drawable) return;
    this.#problem?.remove();
    this.#problem = null;
    const { canvas, panels } = this.layout;
    this.#picture = picture;
    this.#image = new ImageData(canvas.width, canvas.height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
    paintImage(this.#pixels, canvas.width, panels.image, picture);
    this.showTheme(scene);
  }

  /** @param {Scene} scene */
  showTheme(scene) {
    if (!this.#picture || !this.#image) return;
    const { canvas, panels } = this.layout;
    panels.targets.forEach(({ gradient }, row) => {
      const indices = /** @type {Picture} */ (this.#picture).targets[row].gradient;
      paintGradient(this.#pixels, canvas.width, gradient, indices, PALETTES[scene.theme]);
    });
    this.#paintMorphs(scene.strength);
    this.#context().putImageData(this.#image, 0, 0);
    this.#tellPainted(scene.strength);
  }

  /** @param {number} strength */
  showStrength(strength) {
    for (const words of this.#words) words.showStrength(strength);
    if (!this.#image) return;
    const column = this.#paintMorphs(strength);
    if (column) this.#context().putImageData(this.#image, 0, 0, column[0], column[1], column[2], column[3]);
    this.#tellPainted(strength);
  }

  /**
   * @param {number} strength
   * @returns {Rectangle | null} the column that holds all morphs
   */
  #paintMorphs(strength) {
    const { canvas, panels } = this.layout;
    const picture = /** @type {Picture} */ (this.#picture);
    /** @type {Rectangle | null} */
    let column = null;
    for (let row = 0; row < panels.targets.length; row++) {
      const { morph } = panels.targets[row];
      const { change } = picture.targets[row];
      if (!morph || !change) continue;
      paintMorph(this.#pixels, canvas.width, morph, picture, change, strength);
      column = [morph[0], 0, morph[2], canvas.height];
    }
    return column;
  }

  /** @param {string} problem */
  showProblem(problem) {
    if (this.#picture) return;
    this.#problem ??= this.#body.appendChild(element("p", { className: "problem" }));
    this.#problem.textContent = problem;
  }

  /** @param {number} strength */
  #tellPainted(strength) {
    this.element.dataset.painted = decimals(strength);
  }

  #context() {
    // Its pixels come from the processor and are never drawn on by the graphics card.
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("this browser gives no canvas to draw on");
    return context;
  }
}
