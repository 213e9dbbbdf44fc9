/** The card of a sample: its captions, and one canvas with all its panels. */

import {
  allProbabilities,
  channelsCaption,
  className,
  formatDecimals,
  isWrong,
  predictionCaption,
  labelCaption,
} from "../../samples/captions.js";
import { HEADING, LEAST_COLUMN } from "../../layout/grid_layout.js";
import { colourGradient } from "../../drawing/gradient_colors.js";
import { fitsRaster, showGradient, showMorph, showOriginal } from "../../drawing/picture.js";
import { strengthOf } from "../../state/selectors.js";
import { withStrengthOverride } from "../../state/transitions.js";
import { targetChips } from "./target_chips.js";
import { element, setBox } from "../common/dom.js";
import { TargetResponse } from "./target_response.js";

/** @import {Surface} from "../../drawing/curves.js" */
/** @import {CardLayout} from "../../layout/grid_layout.js" */
/** @import {OnChange} from "../../state/state.js" */
/** @import {Picture, Rectangle, Sample, TargetPanels} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

/** A click on one of these does not open the sample. */
export const INTERACTIVE = "button, input, select, a, label, .curve";

/** The approximate width of a letter in a heading, in CSS pixels. */
const LETTER = 5.8;

export class Card {
  #onChange;
  #canvas;
  #body;
  /** @type {TargetResponse[]} */
  #responses = [];
  /** @type {HTMLElement | null} */
  #problem = null;
  /** @type {Picture | null} */
  #picture = null;
  /** @type {ImageData | null} */
  #image = null;
  /** @type {Surface | null} */
  #surface = null;
  #overrideButton = element("button", { type: "button", className: "strength-override", hidden: true });
  #strength = NaN;

  /**
   * @param {Sample} sample
   * @param {CardLayout} layout
   * @param {DisplaySettings} settings
   * @param {OnChange} onChange
   */
  constructor(sample, layout, settings, onChange) {
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
    setBox(this.#canvas, { top: HEADING, width: canvas.width * scale, height: canvas.height * scale });
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
    this.#addMeta(settings.runColour, raster.height * scale, room * scale);
    panels.targets.forEach((target, row) => this.#addTarget(target, row, settings));
    this.#canvas.role = "img";
    this.#canvas.ariaLabel = `Original${layout.rows
      .map((position) => {
        const { index, delta_norm } = sample.targets[position];
        const name = className(sample.session.class_names, index);
        return `, gradient of ${name}${delta_norm === null ? "" : `, morph to ${name}`}`;
      })
      .join("")}`;
    this.#overrideButton.title =
      "The strength of this sample differs from the slider. Click to follow the slider again.";
    this.#overrideButton.addEventListener("click", () =>
      onChange((state) => withStrengthOverride(state, sample.key, null)),
    );
    this.element.append(this.#overrideButton);
    this.#updateStrength(settings);
    if (!layout.drawable) {
      this.showProblem("This sample is too large for the grid. Click to open it.");
    }
  }

  #title() {
    const { sample, layout } = this;
    const verdict = element("span", { className: isWrong(sample) ? "wrong" : "right" }, labelCaption(sample));
    const title = element("h2", { title: allProbabilities(sample) }, predictionCaption(sample), "; ", verdict);
    title.style.setProperty("--lines", String(layout.titleLines));
    return title;
  }

  #chips() {
    const { sample, layout } = this;
    return layout.chipLines ? [targetChips(sample, layout, this.#onChange)] : [];
  }

  /**
   * @param {DisplaySettings["runColour"]} runColour
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
        `margin ${formatDecimals(sample.margin)}`,
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
    setBox(meta, { top: HEADING + top, width });
    this.#body.append(meta);
  }

  /**
   * @param {TargetPanels} panels
   * @param {number} row
   * @param {DisplaySettings} settings
   */
  #addTarget({ gradient, morph }, row, settings) {
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
    const responses = new TargetResponse(sample, target, layout, settings.largestStrength, (strength) =>
      this.#onChange((state) => withStrengthOverride(state, sample.key, strength)),
    );
    // The Tab key stops at only one curve of each card.
    responses.curve.tabIndex = row ? -1 : 0;
    const [, top] = gradient;
    setBox(responses.element, { left: canvas.width * scale, top: HEADING + top * scale });
    this.#responses.push(responses);
    this.#body.append(responses.element);
  }

  /**
   * @param {string} text
   * @param {Rectangle} panel
   * @param {string} title
   */
  #head(text, [left, top, width], title = text) {
    const { scale } = this.layout;
    const heading = element("span", { className: "heading", title }, text);
    setBox(heading, { left: left * scale, top: top * scale, width: width * scale });
    this.#body.append(heading);
  }

  /**
   * @param {Picture} picture
   * @param {DisplaySettings} settings
   */
  showPicture(picture, settings) {
    if (!this.layout.drawable || !fitsRaster(picture, this.layout.raster)) return;
    this.#problem?.remove();
    this.#problem = null;
    const { canvas } = this.layout;
    this.#picture = picture;
    this.#image = new ImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(this.#image.data.buffer);
    this.#surface = { pixels, stride: canvas.width, ratio: 1 / this.layout.scale, theme: settings.theme };
    this.repaint(settings);
  }

  /**
   * Paints all panels again, in another theme or in other colours.
   * @param {DisplaySettings} settings
   */
  repaint(settings) {
    if (!this.#picture || !this.#image || !this.#surface) return;
    const picture = this.#picture;
    const { panels, rows } = this.layout;
    const surface = { ...this.#surface, theme: settings.theme };
    this.#surface = surface;
    showOriginal(surface, panels.image, picture);
    panels.targets.forEach(({ gradient }, row) => {
      showGradient(
        surface,
        gradient,
        picture,
        colourGradient(picture.targets[rows[row]], settings.gradientColors, settings.theme, settings.scaleEnd),
      );
    });
    this.#paintMorphs();
    this.#context().putImageData(this.#image, 0, 0);
    this.#markPainted();
  }

  /**
   * Paints the morphs again if the strength of this card has changed.
   * @param {DisplaySettings} settings
   */
  showStrength(settings) {
    if (!this.#updateStrength(settings) || !this.#image) return;
    const column = this.#paintMorphs();
    if (column) this.#context().putImageData(this.#image, 0, 0, column[0], column[1], column[2], column[3]);
    this.#markPainted();
  }

  /**
   * @param {DisplaySettings} settings
   * @returns {boolean} whether the strength has changed
   */
  #updateStrength(settings) {
    const { key } = this.sample;
    const strength = strengthOf(settings, key);
    const changed = this.#strength !== strength;
    this.#strength = strength;
    if (changed) for (const responses of this.#responses) responses.showStrength(strength);
    const isOverridden = settings.strengthOverrides.has(key);
    if (isOverridden) this.#overrideButton.textContent = `strength ${formatDecimals(strength)} ✕`;
    if (this.#overrideButton.hidden === isOverridden) {
      this.#overrideButton.hidden = !isOverridden;
      this.element.classList.toggle("overridden", isOverridden);
    }
    return changed;
  }

  /** @returns {Rectangle | null} the column with all morphs */
  #paintMorphs() {
    const { canvas, panels, rows } = this.layout;
    const picture = /** @type {Picture} */ (this.#picture);
    const surface = /** @type {Surface} */ (this.#surface);
    /** @type {Rectangle | null} */
    let column = null;
    for (let row = 0; row < panels.targets.length; row++) {
      const { morph } = panels.targets[row];
      const { change } = picture.targets[rows[row]];
      if (!morph || !change) continue;
      showMorph(surface, morph, picture, change, this.#strength);
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

  #markPainted() {
    this.element.dataset.painted = formatDecimals(this.#strength);
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
export function sampleKeyAt(target) {
  const card = target instanceof Element ? target.closest(".sample") : null;
  return card instanceof HTMLElement ? (card.dataset.sample ?? null) : null;
}

/**
 * Brings cards up to date after the settings changed.
 * @param {Iterable<Card>} cards
 * @param {DisplaySettings} settings
 * @param {DisplaySettings} before
 * @returns {boolean} false if the cards have to be built again, because their captions or curves change
 */
export function updateCards(cards, settings, before) {
  const isSame = (/** @type {(keyof DisplaySettings)[]} */ ...fields) =>
    fields.every((field) => settings[field] === before[field]);
  if (!isSame("runColour", "largestStrength")) return false;
  for (const card of cards) {
    if (!isSame("strength", "strengthOverrides")) card.showStrength(settings);
    if (!isSame("theme", "gradientColors", "scaleEnd")) card.repaint(settings);
  }
  return true;
}

/**
 * Gives the focus back to a card that lost it, because the card was built again or moved.
 * @param {string | null} key the key of the sample whose card had the focus
 * @param {(key: string) => Card | undefined} cardOf
 */
export function restoreFocus(key, cardOf) {
  if (key !== null && sampleKeyAt(document.activeElement) !== key) cardOf(key)?.element.focus({ preventScroll: true });
}
