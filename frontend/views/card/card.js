/** The card of a sample: its captions, and one canvas with all its panels. */

import {
  allProbabilities,
  changeCaption,
  channelsCaption,
  className,
  formatCount,
  formatDecimals,
  formatStrength,
  gainCaption,
  noMorphCaption,
} from "../../samples/captions.js";
import { REVIEW_WORDS } from "../../samples/label_review.js";
import { CAPTION, HEADING, LEAST_COLUMN, PANEL_GAP } from "../../layout/grid_layout.js";
import { colourGradient } from "../../drawing/gradient_colors.js";
import { fitsRaster, showChange, showGradient, showMorph, showOriginal } from "../../drawing/picture.js";
import { shownMorph, shownPosition } from "../../samples/morphs.js";
import { strengthOf } from "../../state/selectors.js";
import { withStrengthOverride } from "../../state/transitions.js";
import { sampleHeading } from "./sample_heading.js";
import { targetChips } from "./target_chips.js";
import { element, setBox } from "../common/dom.js";
import { runName } from "../common/run_name.js";
import { cutIfWide, textWidth } from "../common/text_width.js";
import { TargetResponse } from "./target_response.js";

/** @import {Surface} from "../../drawing/curves.js" */
/** @import {CardLayout} from "../../layout/grid_layout.js" */
/** @import {SharedFacts} from "../../samples/shared_facts.js" */
/** @import {OnChange} from "../../state/state.js" */
/** @import {MorphChange, Picture, Rectangle, Sample, TargetPanels} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

/** A click on one of these does not open the sample. */
export const INTERACTIVE = "button, input, select, a, label, .curve";

/** A press on a morph that lasts longer shows the original, and does not open the sample. In milliseconds. */
const PRESS = 300;

export class Card {
  #onChange;
  /** The kind of morph that the card shows. */
  #kind;
  #canvas;
  #body;
  /** @type {TargetResponse[]} */
  #responses = [];
  /** @type {((change: MorphChange) => void)[]} write the size of each row's change; without an entry if it has none */
  #changeTexts = [];
  #isBlinking = false;
  /** @type {HTMLElement | null} */
  #problem = null;
  /** @type {Picture | null} */
  #picture = null;
  /** @type {ImageData | null} */
  #image = null;
  /** @type {Surface | null} */
  #surface = null;
  #overrideButton = element("button", { type: "button", className: "strength-override", hidden: true });
  #step = element("li");
  #review = element("li", { className: "review", hidden: true });
  /** @type {number[]} the strength of each row */
  #strengths = [];
  #atFlip = false;

  /**
   * @param {Sample} sample
   * @param {CardLayout} layout
   * @param {DisplaySettings} settings
   * @param {OnChange} onChange
   */
  constructor(sample, layout, settings, onChange) {
    this.sample = sample;
    this.layout = layout;
    this.#kind = settings.morph;
    this.#onChange = onChange;
    const { canvas, panels, scale } = layout;
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
      element("div", { className: "head" }, this.#title(), ...this.#chips()),
      this.#body,
    );
    const meta = this.#meta(settings);
    if (layout.metaBelowOriginal) {
      const { width, height } = layout.raster;
      setBox(meta, { top: HEADING + height * scale, width: Math.max(width * scale, LEAST_COLUMN) });
      this.#body.append(meta);
    } else {
      this.element.append(meta);
    }
    this.element.dataset.sample = sample.key;
    this.#step.textContent = `step ${formatCount(sample.step)}`;
    this.element.classList.toggle("chips-beside", layout.chipsBeside);
    this.element.classList.toggle("whole-title", layout.titleLines === 1);
    if (panels.image) {
      const channels = channelsCaption(sample.shape);
      const [left, top, width, height] = panels.image;
      const room = Math.max(width, LEAST_COLUMN / scale);
      this.#head("original", [left, top, room, height], channels ? `original: ${channels}` : "original");
    }
    panels.targets.forEach((target, row) => this.#addTarget(target, row, settings));
    this.#canvas.role = "img";
    this.#canvas.ariaLabel = `${panels.image ? "Original" : "Without the original"}${layout.rows
      .map((position) => {
        const { index, morphs } = sample.targets[position];
        const name = className(sample.session.class_names, index);
        return `, gradient of ${name}${morphs.length ? `, morph to ${name}, its change` : ""}`;
      })
      .join("")}`;
    this.#overrideButton.title =
      "The strength of this sample differs from the slider. Click to follow the slider again.";
    this.#overrideButton.addEventListener("click", () =>
      onChange((state) => withStrengthOverride(state, sample.key, null)),
    );
    this.element.append(this.#overrideButton);
    this.#listen();
    this.#updateStrength(settings);
    this.#paintPlaceholders();
    if (!layout.drawable) {
      this.showProblem("This sample is too large for the grid. Click to open it.");
    }
  }

  #title() {
    const { sample, layout } = this;
    const title = element("h2", { title: allProbabilities(sample) }, ...sampleHeading(sample));
    title.style.setProperty("--lines", String(layout.titleLines));
    return title;
  }

  #chips() {
    const { sample, layout } = this;
    return layout.chipLines ? [targetChips(sample, layout, this.#onChange)] : [];
  }

  /**
   * The line at the lower edge.
   * @param {DisplaySettings} settings
   */
  #meta(settings) {
    const { sample } = this;
    const meta = element(
      "ul",
      { className: "meta" },
      this.#step,
      element(
        "li",
        { title: "The largest probability minus the second largest" },
        `margin ${formatDecimals(sample.margin)}`,
      ),
    );
    if (sample.id !== null) meta.append(element("li", { className: "id", title: sample.id }, sample.id));
    const { runColour } = settings;
    if (runColour) {
      const dot = element("span", { className: "run-colour" });
      dot.style.background = runColour(sample.run);
      meta.append(element("li", { className: "run-name", title: sample.run }, dot, runName(sample.run, settings.runStart)));
    }
    if (sample.probe) {
      const title = "A fixed sample that is followed through the training";
      meta.append(element("li", {}, element("span", { className: "probe", title }, "probe")));
    }
    meta.append(this.#review);
    this.showReview(settings);
    return meta;
  }

  /**
   * @param {TargetPanels} panels
   * @param {number} row
   * @param {DisplaySettings} settings
   */
  #addTarget({ gradient, morph, change }, row, settings) {
    const { sample, layout } = this;
    const { scale } = layout;
    const target = sample.targets[layout.rows[row]];
    const shown = shownMorph(target, settings.morph);
    const name = className(sample.session.class_names, target.index);
    if (!morph || !change || !shown) {
      const [left, top, , height] = gradient;
      this.#head(`gradient → ${name}`, [left, top, layout.rowWidth / scale, height]);
      if (sample.strengths.length) this.#addNoMorph(gradient, noMorphCaption(sample, target));
      return;
    }
    this.#addHeads({ gradient, morph, change }, row, name, shown.name === settings.morph ? "morph" : shown.name);
    if (!sample.strengths.length) return;
    const size = { textWidth: layout.textWidth, rowHeight: layout.rowHeights[row] };
    const responses = new TargetResponse(sample, target, shown, size, settings.largestStrength, (strength) =>
      this.#onChange((state) => withStrengthOverride(state, sample.key, strength)),
    );
    // The Tab key stops at only one curve of each card.
    responses.curve.tabIndex = this.#responses.length ? -1 : 0;
    const [left, top, width] = change;
    setBox(responses.element, { left: (left + width) * scale, top: HEADING + top * scale });
    this.#responses[row] = responses;
    this.#body.append(responses.element);
  }

  /** Whether each picture has room for a heading with the target's name. It holds for all rows of the card. */
  get #hasWideHeads() {
    const { layout, sample } = this;
    return layout.rows.every((position) => {
      const heading = `gradient → ${className(sample.session.class_names, sample.targets[position].index)}`;
      return layout.raster.width * layout.scale >= textWidth(heading, "small");
    });
  }

  /**
   * The headings of a row, and the caption below it. Both are written again when the size of the change is known.
   * @param {{gradient: Rectangle, morph: Rectangle, change: Rectangle}} panels
   * @param {number} row
   * @param {string} name the target's
   * @param {string} kind the name for the morph
   */
  #addHeads({ gradient, morph, change }, row, name, kind) {
    const { captionLines, scale } = this.layout;
    const [left, top, , height] = gradient;
    const width = change[0] + change[2] - left;
    const shared = `${name}: gradient, ${kind}, change`;
    /** The heading whose end is the gain of the change. */
    const changeHead = this.#hasWideHeads
      ? this.#head("change", change)
      : this.#head(shared, [left, top, width, height]);
    if (this.#hasWideHeads) {
      this.#head(`gradient → ${name}`, gradient);
      this.#head(`${kind} → ${name}`, morph, "Press the picture, or hold the key B, to see the original in its place");
    }
    const changeWords = changeHead.textContent;
    const caption = element("p", { className: "heading caption" });
    setBox(caption, {
      left: left * scale,
      top: HEADING + (top + height) * scale,
      width: width * scale,
      height: captionLines * CAPTION,
    });
    this.#body.append(caption);
    this.#changeTexts[row] = (size) => {
      const gain = gainCaption(size);
      const { long, short } = changeCaption(size, this.sample.shape);
      changeHead.textContent = `${changeWords} ${gain}`;
      cutIfWide(changeHead, this.#hasWideHeads ? change[2] * scale : width * scale);
      caption.textContent = short;
      caption.title = `The morph ${long}, with the whole change. The change is painted ${gain}.`;
      changeHead.title = this.#hasWideHeads ? caption.title : `${changeHead.textContent}. ${caption.title}`;
    };
  }

  /**
   * @param {Rectangle} gradient
   * @param {string} words
   */
  #addNoMorph([left, top, width], words) {
    const { scale, rowWidth } = this.layout;
    const start = (left + width) * scale + PANEL_GAP;
    const text = element("p", { className: "no-morph" }, words);
    setBox(text, { left: start, top: HEADING + top * scale, width: left * scale + rowWidth - start });
    this.#body.append(text);
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
    cutIfWide(heading, width * scale);
    this.#body.append(heading);
    return heading;
  }

  /**
   * Shows what the user found out about the label.
   * @param {DisplaySettings} settings
   */
  showReview({ reviews }) {
    const review = this.sample.id === null ? undefined : reviews.get(this.sample.id);
    this.#review.hidden = review === undefined;
    if (review) this.#review.textContent = REVIEW_WORDS[review];
  }

  /**
   * Leaves out what is said once for all cards.
   * @param {SharedFacts} facts
   */
  showShared({ step }) {
    this.#step.hidden = step !== null;
  }

  /** Paints grey panels, until the picture is loaded or if it cannot be loaded. */
  #paintPlaceholders() {
    const { drawable, panels } = this.layout;
    if (!drawable) return;
    const context = this.#context();
    // A grey that differs a little from both the light and the dark panel.
    context.fillStyle = "rgba(128, 128, 128, 0.18)";
    for (const panel of [panels.image, ...panels.targets.flatMap(({ gradient, morph, change }) => [gradient, morph, change])]) {
      if (panel) context.fillRect(...panel);
    }
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
    this.#changeTexts.forEach((write, row) => {
      const change = this.#changeOf(row);
      if (change) write(change);
    });
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
    if (panels.image) showOriginal(surface, panels.image, picture);
    const { gradientColors, theme, scaleEnd } = settings;
    panels.targets.forEach(({ gradient, change }, row) => {
      const target = picture.targets[rows[row]];
      showGradient(surface, gradient, picture, colourGradient(target, gradientColors, theme, scaleEnd));
      const morph = this.#changeOf(row);
      if (change && morph) showChange(surface, change, picture, morph, gradientColors.map);
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
    if (this.#updateStrength(settings)) this.#showMorphs();
  }

  /** Paints the morphs again. */
  #showMorphs() {
    if (!this.#image) return;
    const morphs = this.#paintMorphs();
    if (morphs) this.#context().putImageData(this.#image, 0, 0, ...morphs);
    this.#markPainted();
  }

  /**
   * @param {DisplaySettings} settings
   * @returns {boolean} whether the strength has changed
   */
  #updateStrength(settings) {
    const { key } = this.sample;
    const { atFlip } = settings;
    const targets = this.layout.rows.map((position) => this.sample.targets[position]);
    const strengths = (targets.length ? targets : [undefined]).map((target) =>
      strengthOf(settings, this.sample, target),
    );
    const changed =
      this.#atFlip !== atFlip || strengths.some((strength, position) => strength !== this.#strengths[position]);
    this.#strengths = strengths;
    this.#atFlip = atFlip;
    if (changed) this.#responses.forEach((responses, row) => responses.showStrength(strengths[row], atFlip));
    const isOverridden = settings.strengthOverrides.has(key);
    if (isOverridden) this.#overrideButton.textContent = `${formatStrength(strengths[0])} ✕`;
    if (this.#overrideButton.hidden === isOverridden) {
      this.#overrideButton.hidden = !isOverridden;
      this.element.classList.toggle("overridden", isOverridden);
    }
    return changed;
  }

  /**
   * The change of the morph in a row; `null` if the row has no morph or the picture is not loaded.
   * @param {number} row
   */
  #changeOf(row) {
    const position = this.layout.rows[row];
    const morph = shownPosition(this.sample.targets[position], this.#kind);
    return this.#picture?.targets[position].morphs[morph] ?? null;
  }

  /** @returns {Rectangle | null} a rectangle with all morphs */
  #paintMorphs() {
    const { canvas, panels } = this.layout;
    const picture = /** @type {Picture} */ (this.#picture);
    const surface = /** @type {Surface} */ (this.#surface);
    let [first, end] = [Infinity, 0];
    for (let row = 0; row < panels.targets.length; row++) {
      const { morph } = panels.targets[row];
      const change = this.#changeOf(row);
      if (!morph || !change) continue;
      if (this.#isBlinking) showOriginal(surface, morph, picture);
      else showMorph(surface, morph, picture, change, this.#strengths[row]);
      first = Math.min(first, morph[0]);
      end = Math.max(end, morph[0] + morph[2]);
    }
    return first < end ? [first, 0, end - first, canvas.height] : null;
  }

  /**
   * Shows the original in place of the morphs, or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    if (this.#isBlinking === on) return;
    this.#isBlinking = on;
    this.element.classList.toggle("blinking", on);
    this.#showMorphs();
  }

  /** Shows the original while the user presses a morph. */
  #listen() {
    let pressed = 0;
    let wasLong = false;
    const end = () => {
      if (!this.#isBlinking) return;
      wasLong = performance.now() - pressed >= PRESS;
      this.blink(false);
    };
    this.#canvas.addEventListener("pointerdown", (event) => {
      wasLong = false;
      if (event.button || !this.#isMorphAt(event)) return;
      pressed = performance.now();
      this.#canvas.setPointerCapture(event.pointerId);
      this.blink(true);
    });
    this.#canvas.addEventListener("pointerup", end);
    this.#canvas.addEventListener("pointercancel", end);
    this.#canvas.addEventListener("click", (event) => {
      if (wasLong) event.stopPropagation();
      wasLong = false;
    });
  }

  /** @param {PointerEvent} event */
  #isMorphAt({ offsetX, offsetY }) {
    const { panels, scale } = this.layout;
    const [x, y] = [offsetX / scale, offsetY / scale];
    return panels.targets.some(({ morph }) => {
      if (!morph) return false;
      const [left, top, width, height] = morph;
      return x >= left && x < left + width && y >= top && y < top + height;
    });
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
    const { targets } = this.layout.panels;
    const ofMorphs = this.#strengths.filter((_, row) => targets[row]?.morph);
    const shown = ofMorphs.length ? ofMorphs : this.#strengths.slice(0, 1);
    this.element.dataset.painted = [...new Set(shown.map(formatDecimals))].join(" ");
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
 * Shows the originals in place of the morphs, on the focused card or on all cards; or the morphs again on all cards.
 * @param {Iterable<Card>} cards
 * @param {boolean} on
 */
export function blinkCards(cards, on) {
  const focused = on ? sampleKeyAt(document.activeElement) : null;
  for (const card of cards) if (focused === null || card.sample.key === focused) card.blink(on);
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
  if (!isSame("runColour", "runStart", "largestStrength", "morph")) return false;
  for (const card of cards) {
    if (!isSame("strength", "strengthOverrides", "atFlip")) card.showStrength(settings);
    if (!isSame("theme", "gradientColors", "scaleEnd")) card.repaint(settings);
    if (!isSame("reviews")) card.showReview(settings);
  }
  return true;
}
