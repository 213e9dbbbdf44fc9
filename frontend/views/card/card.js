/** The card of a sample: its captions, and one canvas with all its panels. */

import { allProbabilities, channelsCaption, className, decimals, isWrong, saying, truth } from "../../samples/captions.js";
import { HEADING, LEAST_COLUMN } from "../../layout/grid_layout.js";
import { inkOf } from "../../drawing/gradient_colors.js";
import { serves, showGradient, showMorph, showOriginal } from "../../drawing/picture.js";
import { strengthOf } from "../../state/selectors.js";
import { withOwnStrength } from "../../state/transitions.js";
import { targetChips } from "./chips.js";
import { element, place } from "../common/dom.js";
import { TargetWords } from "./target.js";

/** @import {Sheet} from "../../drawing/curves.js" */
/** @import {CardLayout} from "../../layout/grid_layout.js" */
/** @import {OnChange} from "../../state/state.js" */
/** @import {Picture, Rectangle, Sample, TargetPanels} from "../../types.js" */
/** @import {Scene} from "../common/sample_view.js" */

/** A click on one of these does not open the sample. */
export const NOT_TO_OPEN = "button, input, select, a, label, .curve";

/** The approximate width of a letter in a heading, in CSS pixels. */
const LETTER = 5.8;

export class Card {
  #onChange;
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
  /** @type {Sheet | null} */
  #sheet = null;
  #ownStrength = element("button", { type: "button", className: "own-strength", hidden: true });
  #strength = NaN;

  /**
   * @param {Sample} sample
   * @param {CardLayout} layout
   * @param {Scene} scene
   * @param {OnChange} onChange
   */
  constructor(sample, layout, scene, onChange) {
    this.sample = sample;
    this.layout = layout;
    this.#onChange = onChange;
    const { canvas, panels, scale, raster } = layout;
    this.#canvas = element("canvas", { className: "panels" });
    if (layout.drawable) {
      this.#canvas.width = canvas.width;
      this.#canvas.height = canvas.height;
    }
    this.#canvas.dataset.panels = JSON.stringify(panels);
    place(this.#canvas, { top: HEADING, width: canvas.width * scale, height: canvas.height * scale });
    this.#body = element("div", { className: "body" }, this.#canvas);
    this.element = element(
      "article",
      { className: "sample", tabIndex: -1 },
      this.#title(),
      ...this.#chips(),
      this.#body,
    );
    this.element.dataset.sample = sample.key;
    const channels = channelsCaption(sample.shape);
    const [left, top, width, height] = panels.image;
    const room = Math.max(width, LEAST_COLUMN / scale);
    this.#head("original", [left, top, room, height], channels ? `original: ${channels}` : "original");
    this.#addMeta(scene.runColour, raster.height * scale, room * scale);
    panels.targets.forEach((target, row) => this.#addTarget(target, row, scene));
    this.#canvas.role = "img";
    this.#canvas.ariaLabel = `Original${layout.rows
      .map((place) => {
        const { index, delta_norm } = sample.targets[place];
        const name = className(sample.session.class_names, index);
        return `, gradient of ${name}${delta_norm === null ? "" : `, morph to ${name}`}`;
      })
      .join("")}`;
    this.#ownStrength.title = "The strength of this sample differs from the slider. Click to follow the slider again.";
    this.#ownStrength.addEventListener("click", () => onChange((state) => withOwnStrength(state, sample.key, null)));
    this.element.append(this.#ownStrength);
    this.#tellStrength(scene);
    if (!layout.drawable) {
      this.showProblem("This sample is too large for the grid. Click to open it.");
    }
  }

  #title() {
    const { sample, layout } = this;
    const verdict = element("span", { className: isWrong(sample) ? "wrong" : "right" }, truth(sample));
    const title = element("h2", { title: allProbabilities(sample) }, saying(sample), "; ", verdict);
    title.style.setProperty("--lines", String(layout.titleLines));
    return title;
  }

  #chips() {
    const { sample, layout } = this;
    return layout.chipLines ? [targetChips(sample, layout, this.#onChange)] : [];
  }

  /**
   * @param {Scene["runColour"]} runColour
   * @param {number} top
   * @param {number} width
   */
  #addMeta(runColour, top, width) {
    const { sample } = this;
    const meta = element(
      "ul",
      { className: "meta" },
      element("li", {}, `step ${sample.step.toLocaleString("en")}`),
      element(
        "li",
        { title: "The largest probability minus the second largest" },
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
      const title = "A fixed sample that is followed through the training";
      meta.append(element("li", {}, element("span", { className: "probe", title }, "probe")));
    }
    place(meta, { top: HEADING + top, width });
    this.#body.append(meta);
  }

  /**
   * @param {TargetPanels} panels
   * @param {number} row
   * @param {Scene} scene
   */
  #addTarget({ gradient, morph }, row, scene) {
    const { sample, layout } = this;
    const { canvas, scale } = layout;
    const target = sample.targets[layout.rows[row]];
    const name = className(sample.session.class_names, target.index);
    const heading = `gradient → ${name}`;
    if (!morph || gradient[2] * scale >= heading.length * LETTER) {
      this.#head(heading, gradient);
      if (morph) this.#head(`morph → ${name}`, morph);
    } else {
      const [left, top, , height] = gradient;
      const width = morph[0] + morph[2] - left;
      const shared = `gradient, morph → ${name}`;
      const fits = width * scale >= shared.length * LETTER;
      this.#head(fits ? shared : `→ ${name}`, [left, top, width, height], shared);
    }
    if (!sample.strengths.length) return;
    const words = new TargetWords(sample, target, layout, scene.largestStrength, (strength) =>
      this.#onChange((state) => withOwnStrength(state, sample.key, strength)),
    );
    // The Tab key stops at only one curve of each card.
    words.curve.tabIndex = row ? -1 : 0;
    const [, top] = gradient;
    place(words.element, { left: canvas.width * scale, top: HEADING + top * scale });
    this.#words.push(words);
    this.#body.append(words.element);
  }

  /**
   * @param {string} text
   * @param {Rectangle} panel
   * @param {string} title
   */
  #head(text, [left, top, width], title = text) {
    const { scale } = this.layout;
    const heading = element("span", { className: "heading", title }, text);
    place(heading, { left: left * scale, top: top * scale, width: width * scale });
    this.#body.append(heading);
  }

  /**
   * @param {Picture} picture
   * @param {Scene} scene
   */
  showPicture(picture, scene) {
    if (!this.layout.drawable || !serves(picture, this.layout.raster)) return;
    this.#problem?.remove();
    this.#problem = null;
    const { canvas } = this.layout;
    this.#picture = picture;
    this.#image = new ImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(this.#image.data.buffer);
    this.#sheet = { pixels, stride: canvas.width, ratio: 1 / this.layout.scale, theme: scene.theme };
    this.showLook(scene);
  }

  /**
   * Paints all panels again, in another theme or in other colours.
   * @param {Scene} scene
   */
  showLook(scene) {
    if (!this.#picture || !this.#image || !this.#sheet) return;
    const picture = this.#picture;
    const { panels, rows } = this.layout;
    const sheet = { ...this.#sheet, theme: scene.theme };
    this.#sheet = sheet;
    showOriginal(sheet, panels.image, picture);
    panels.targets.forEach(({ gradient }, row) => {
      showGradient(sheet, gradient, picture, inkOf(picture.targets[rows[row]], scene.look, scene.theme, scene.scaleEnd));
    });
    this.#paintMorphs();
    this.#context().putImageData(this.#image, 0, 0);
    this.#tellPainted();
  }

  /**
   * Paints the morphs again if the strength of this card has changed.
   * @param {Scene} scene
   */
  showStrength(scene) {
    if (!this.#tellStrength(scene) || !this.#image) return;
    const column = this.#paintMorphs();
    if (column) this.#context().putImageData(this.#image, 0, 0, column[0], column[1], column[2], column[3]);
    this.#tellPainted();
  }

  /**
   * @param {Scene} scene
   * @returns {boolean} whether the strength has changed
   */
  #tellStrength(scene) {
    const { key } = this.sample;
    const strength = strengthOf(scene, key);
    const changed = this.#strength !== strength;
    this.#strength = strength;
    if (changed) for (const words of this.#words) words.showStrength(strength);
    const isApart = scene.ownStrengths.has(key);
    if (isApart) this.#ownStrength.textContent = `strength ${decimals(strength)} ✕`;
    if (this.#ownStrength.hidden === isApart) {
      this.#ownStrength.hidden = !isApart;
      this.element.classList.toggle("apart", isApart);
    }
    return changed;
  }

  /** @returns {Rectangle | null} the column with all morphs */
  #paintMorphs() {
    const { canvas, panels, rows } = this.layout;
    const picture = /** @type {Picture} */ (this.#picture);
    const sheet = /** @type {Sheet} */ (this.#sheet);
    /** @type {Rectangle | null} */
    let column = null;
    for (let row = 0; row < panels.targets.length; row++) {
      const { morph } = panels.targets[row];
      const { change } = picture.targets[rows[row]];
      if (!morph || !change) continue;
      showMorph(sheet, morph, picture, change, this.#strength);
      column = [morph[0], 0, morph[2], canvas.height];
    }
    return column;
  }

  get isPainted() {
    return this.#picture !== null;
  }

  /** @param {string} problem */
  showProblem(problem) {
    if (this.#picture) return;
    this.#problem ??= this.#body.appendChild(element("p", { className: "problem" }));
    this.#problem.textContent = problem;
  }

  #tellPainted() {
    this.element.dataset.painted = decimals(this.#strength);
  }

  #context() {
    // The page writes the pixels itself, so the canvas need not be in the memory of the graphics card.
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("this browser cannot draw on a canvas");
    return context;
  }
}

/**
 * The key of the sample whose card contains an element.
 * @param {EventTarget | null} target
 */
export function keyAt(target) {
  const card = target instanceof Element ? target.closest(".sample") : null;
  return card instanceof HTMLElement ? (card.dataset.sample ?? null) : null;
}

/**
 * Brings cards up to date after the settings changed.
 * @param {Iterable<Card>} cards
 * @param {Scene} scene
 * @param {Scene} before
 * @returns {boolean} false if the cards have to be built again, because their captions or curves change
 */
export function updateCards(cards, scene, before) {
  const isSame = (/** @type {(keyof Scene)[]} */ ...fields) => fields.every((field) => scene[field] === before[field]);
  if (!isSame("runColour", "largestStrength")) return false;
  for (const card of cards) {
    if (!isSame("strength", "ownStrengths")) card.showStrength(scene);
    if (!isSame("theme", "look", "scaleEnd")) card.showLook(scene);
  }
  return true;
}

/**
 * Gives the focus back to a card that lost it, because the card was built again or moved.
 * @param {string | null} key the key of the sample whose card had the focus
 * @param {(key: string) => Card | undefined} cardOf
 */
export function giveBackFocus(key, cardOf) {
  if (key !== null && keyAt(document.activeElement) !== key) cardOf(key)?.element.focus({ preventScroll: true });
}
