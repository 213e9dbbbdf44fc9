/** The detail dialog of one sample: its pictures, response curves, probabilities and properties. */

import {
  className,
  formatCount,
  formatStrength,
  noMorphCaption,
  spreadCaption,
  survivalCaption,
} from "../../samples/captions.js";
import { makePicture } from "../../drawing/picture.js";
import { shownMorph } from "../../samples/morphs.js";
import { REVIEWS, REVIEW_WORDS } from "../../samples/label_review.js";
import { classesBetween } from "../../samples/pairs.js";
import { ALL_STEPS } from "../../samples/step_ranges.js";
import { withOpenPair, withReview, withStrengthOverride } from "../../state/transitions.js";
import { verdictAt } from "../../samples/verdict.js";
import { copyText } from "../common/clipboard.js";
import { Dialog } from "../common/dialog.js";
import { element } from "../common/dom.js";
import { MorphSwitch } from "../common/morph_switch.js";
import { shownStrength } from "../common/sample_view.js";
import { showJudge, spreadTitle } from "../card/target_response.js";
import { rowsOf } from "../../samples/target_choice.js";
import { captureStrip } from "./capture_strip.js";
import { sampleProperties, targetProperties } from "./properties.js";
import { PictureInspector } from "./picture_inspector.js";
import { ProbabilityTable } from "./probability_table.js";
import { ResponseChart } from "./response_chart.js";
import { sampleHeading } from "../card/sample_heading.js";
import { VerdictChip } from "../card/verdict_chip.js";
import { errorMessage } from "../../data/error_message.js";

/** @import {ArrayCache} from "../../data/array_cache.js" */
/** @import {OnChange} from "../../state/state.js" */
/** @import {Sample, Target} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

/** The pictures get their new size so long after the window has got its own, in milliseconds. */
const REST_OF_RESIZING = 150;

export class Detail {
  /** @type {Sample | null} */
  #sample = null;
  /** @type {Sample[]} */
  #neighbours = [];
  /** @type {PictureInspector | null} */
  #pictures = null;
  /** @type {{target: Target, showStrength: (strength: number) => void}[]} everything that follows the strength */
  #followers = [];
  /** @type {ProbabilityTable | null} */
  #probabilities = null;
  /** @type {{pictures: HTMLElement, answers: HTMLElement}[]} what belongs to each target */
  #ofTargets = [];
  /** @type {HTMLButtonElement[]} one for each target */
  #tabs = [];
  /** The position of the target that is shown. */
  #target = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resized;
  /** @type {[number, number] | null} the two classes that the sample is between */
  #pair = null;
  #pairLink = element("button", { type: "button", title: "Show all samples between these two classes" });
  #reviewBox = element("div", { className: "review-box", role: "group", ariaLabel: "Review of the label" });
  /** @type {HTMLButtonElement[]} one for each review */
  #reviews = [];
  #slider = element("input", {
    type: "range",
    id: "detail-strength",
    ariaLabel: "strength of this sample",
    title: "The strength of this sample alone: morph = original + strength × delta, clipped to the bounds",
    min: "0",
    step: "0.005",
  });
  #output = element("output", { htmlFor: "detail-strength", ariaLive: "off" });
  #switch;
  #positionText = element("span", { className: "position" });
  #previous = button("‹", "Previous sample", () => this.#go(-1));
  #next = button("›", "Next sample", () => this.#go(1));
  #copied = element("span", { role: "status" });
  #dialog = new Dialog("detail", () => this.#closed());
  element = this.#dialog.element;

  /**
   * @param {DisplaySettings} settings
   * @param {object} listener
   * @param {ArrayCache} listener.arrays
   * @param {OnChange} listener.onChange
   * @param {() => string} listener.link the address of the page as the user sees it
   * @param {(sample: Sample) => Sample[]} listener.captures all captures of a sample's id, from the earliest step
   * @param {(sample: Sample) => void} listener.onClose is called with the sample that was shown last
   */
  constructor(settings, { arrays, onChange, link, captures, onClose }) {
    this.settings = settings;
    this.arrays = arrays;
    this.onChange = onChange;
    this.captures = captures;
    this.onClose = onClose;
    this.#switch = new MorphSwitch(onChange);
    const copy = element("button", { type: "button" }, "Copy link");
    copy.addEventListener("click", async () => {
      const copied = await copyText(link(), this.element);
      this.#copied.textContent = copied ? "copied" : "the browser does not allow copying";
    });
    this.#pairLink.addEventListener("click", () => {
      const pair = this.#pair;
      if (pair) onChange((state) => ({ ...withOpenPair(state, pair), overviewSteps: ALL_STEPS, selected: null }));
    });
    this.#reviews = REVIEWS.map((review, at) => {
      const node = element("button", { type: "button", title: `Review the label (key ${at + 1})` });
      node.append(element("kbd", {}, String(at + 1)), ` ${REVIEW_WORDS[review]}`);
      node.addEventListener("click", () => {
        const sample = this.#sample;
        if (sample) onChange((state) => withReview(state, sample, review));
      });
      return node;
    });
    this.#reviewBox.append(...this.#reviews);
    this.#dialog.actions.append(this.#reviewBox, this.#pairLink, this.#copied, copy, this.#previous, this.#positionText, this.#next);
    this.#slider.addEventListener("input", () => {
      const strength = this.#slider.valueAsNumber;
      const key = this.#sample?.key;
      if (key !== undefined) onChange((state) => withStrengthOverride(state, key, strength));
    });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("resize", () => {
      clearTimeout(this.#resized);
      this.#resized = setTimeout(() => {
        if (this.#sample && window.innerHeight) this.#rebuild(this.#sample);
      }, REST_OF_RESIZING);
    });
  }

  /**
   * @param {Sample | null} sample `null` closes the dialog
   * @param {Sample[]} neighbours the samples that pass the filters, sorted
   */
  show(sample, neighbours) {
    this.#neighbours = neighbours;
    if (!sample) {
      this.#dialog.close();
      return;
    }
    if (sample.key !== this.#sample?.key) this.#build(sample);
    this.#showPosition();
    this.#dialog.open();
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const sameMorph = settings.morph === this.settings.morph && settings.morphKinds === this.settings.morphKinds;
    this.settings = settings;
    if (!this.#sample) return;
    if (sameMorph) this.#showSettings();
    else this.#rebuild(this.#sample);
  }

  /**
   * Shows another kind of morph. The scroll position and the focus stay.
   * @param {Sample} sample
   */
  #rebuild(sample) {
    const { scrollTop } = this.#dialog.content;
    const focused = document.activeElement;
    this.#build(sample, this.#target);
    this.#dialog.content.scrollTop = scrollTop;
    if (focused instanceof HTMLElement && this.#switch.element.contains(focused)) focused.focus();
  }

  /**
   * Shows the original in place of the morphs, or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    this.#pictures?.blink(on);
  }

  get isOpen() {
    return this.#sample !== null;
  }

  /**
   * @param {Sample} sample
   * @param {number} [position] the position of the target that is shown; the default is the first that changes the answer
   */
  #build(sample, position) {
    this.#sample = sample;
    this.#followers = [];
    this.#copied.textContent = "";
    const pictures = new PictureInspector(sample, this.settings);
    this.#pictures = pictures;
    this.#dialog.heading.replaceChildren(...sampleHeading(sample));
    this.#showPairLink(sample);
    const problem = element("p", { role: "status", className: "note" }, "Loading…");
    this.#probabilities = new ProbabilityTable(sample, this.settings.morph);
    this.#ofTargets = sample.targets.map((target, at) => ({
      pictures: element("div", { className: "of-target" }, ...pictures.ofTargets[at]),
      answers: this.#answers(sample, target),
    }));
    this.#tabs = sample.targets.map((target, at) => this.#tab(sample, target, at));
    this.#dialog.content.replaceChildren(
      this.#tools(sample),
      problem,
      element(
        "div",
        { className: sample.shape.length === 2 ? "bench stacked" : "bench" },
        pictures.original,
        ...this.#ofTargets.map((one) => one.pictures),
      ),
      element(
        "div",
        { className: "below" },
        ...this.#ofTargets.map((one) => one.answers),
        section("Probabilities", this.#probabilities.element),
        section("Sample", sampleProperties(sample)),
      ),
      ...captureStrip(this.captures(sample), sample, ({ key }) =>
        this.onChange((state) => ({ ...state, selected: key })),
      ),
      pictures.readout,
    );
    this.#dialog.content.scrollTop = 0;
    const usual = rowsOf(sample, "changing")[0] ?? 0;
    this.#showTarget(Math.min(position ?? usual, Math.max(sample.targets.length - 1, 0)));
    this.#showSettings();
    this.#load(sample, pictures, problem);
  }

  /**
   * The line above the pictures: which target is shown, and at which strength.
   * @param {Sample} sample
   */
  #tools(sample) {
    const parts = [];
    if (this.#tabs.length) {
      const list = element("div", { className: "target-tabs", role: "tablist", ariaLabel: "Targets" }, ...this.#tabs);
      list.addEventListener("keydown", (event) => this.#moveTab(event));
      parts.push(element("span", { className: "towards-word" }, "towards"), list);
    }
    if (sample.strengths.length) parts.push(this.#slider, this.#output, this.#switch.element);
    return element("div", { className: "detail-strength" }, ...parts);
  }

  /**
   * @param {Sample} sample
   * @param {Target} target
   * @param {number} at
   */
  #tab(sample, { index }, at) {
    const name = className(sample.session.class_names, index);
    const tab = element("button", { type: "button", role: "tab", title: name }, name);
    tab.addEventListener("click", () => this.#showTarget(at));
    return tab;
  }

  /** @param {KeyboardEvent} event */
  #moveTab(event) {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (this.#target + way + this.#tabs.length) % this.#tabs.length;
    this.#showTarget(next);
    this.#tabs[next].focus();
  }

  /** @param {number} position of the target in the sample */
  #showTarget(position) {
    this.#target = position;
    this.#tabs.forEach((tab, at) => {
      tab.ariaSelected = String(at === position);
      tab.tabIndex = at === position ? 0 : -1;
    });
    this.#ofTargets.forEach(({ pictures, answers }, at) => {
      pictures.hidden = answers.hidden = at !== position;
    });
    this.#pictures?.showTarget(position);
  }

  /** @param {Sample} sample */
  #showPairLink(sample) {
    this.#pair = sample.probe ? null : classesBetween(sample);
    this.#pairLink.hidden = !this.#pair;
    const names = (this.#pair ?? []).map((index) => className(sample.session.class_names, index));
    this.#pairLink.textContent = `All between ${names.join(" and ")}`;
  }

  /**
   * What the network answered along the morph of one target.
   * @param {Sample} sample
   * @param {Target} target
   */
  #answers(sample, target) {
    const morph = shownMorph(target, this.settings.morph);
    const facts = targetProperties(sample, target, morph);
    if (!morph) {
      const words = sample.strengths.length ? noMorphCaption(sample, target) : "";
      const why = words ? [element("p", { className: "no-morph" }, words)] : [];
      return element("div", { className: "of-target" }, element("div", { className: "words-of-target" }, ...why, facts));
    }
    const chip = new VerdictChip(target, sample.session.class_names);
    const chart = new ResponseChart(sample, target, morph);
    const lines = morph.judges.map((judge) => ({ judge, line: element("p", { className: "judge" }) }));
    this.#followers.push({
      target,
      showStrength: (strength) => {
        chip.show(verdictAt(morph, sample.strengths, strength));
        chart.showStrength(strength);
        for (const { judge, line } of lines) showJudge(line, judge, sample, target, strength);
      },
    });
    const goal = className(sample.session.class_names, target.index);
    const again = spreadCaption(morph).long;
    const spread = element("p", { className: "spread", hidden: !again, title: spreadTitle(again, goal) }, again);
    const { long, fragile } = survivalCaption(morph);
    const survival = element("p", { className: fragile ? "survival fragile" : "survival", hidden: !long }, long);
    survival.title = `So often the network still predicts ${goal} if the finished morph is changed a little`;
    const words = [chip.element, spread, survival, ...lines.map(({ line }) => line), facts];
    return element(
      "div",
      { className: "of-target" },
      chart.element,
      element("div", { className: "words-of-target" }, ...words),
    );
  }

  /**
   * @param {Sample} sample
   * @param {PictureInspector} pictures
   * @param {HTMLElement} problem
   */
  async #load(sample, pictures, problem) {
    try {
      const arrays = await this.arrays.get(sample);
      pictures.showArrays(arrays, makePicture(sample, arrays));
      problem.remove();
    } catch (error) {
      problem.textContent = errorMessage(error);
    }
  }

  #showSettings() {
    const sample = this.#sample;
    if (!sample) return;
    const { settings } = this;
    const strength = shownStrength(settings, sample);
    this.#slider.max = String(sample.strengths[sample.strengths.length - 1] || 1);
    this.#slider.value = String(strength);
    const isAtFlip = settings.atFlip && !settings.strengthOverrides.has(sample.key);
    this.#output.value = isAtFlip ? "at its flip" : formatStrength(strength);
    this.#switch.show(settings);
    this.#reviewBox.hidden = sample.id === null;
    const found = settings.reviews.get(sample.id ?? "");
    this.#reviews.forEach((node, at) => (node.ariaPressed = String(REVIEWS[at] === found)));
    const strengthOf = (/** @type {Target} */ target) => shownStrength(settings, sample, target);
    for (const { target, showStrength } of this.#followers) showStrength(strengthOf(target));
    this.#probabilities?.showStrengths(strengthOf);
    this.#pictures?.applySettings(settings);
  }

  #positionInNeighbours() {
    return this.#neighbours.findIndex(({ key }) => key === this.#sample?.key);
  }

  #showPosition() {
    const position = this.#positionInNeighbours();
    const count = this.#neighbours.length;
    this.#positionText.textContent =
      position < 0 ? "excluded by the filters" : `${formatCount(position + 1)} of ${formatCount(count)}`;
    this.#previous.disabled = position <= 0;
    this.#next.disabled = position < 0 || position === count - 1;
  }

  /** @param {number} way */
  #go(way) {
    const position = this.#positionInNeighbours();
    const next = position < 0 ? undefined : this.#neighbours[position + way];
    if (next) this.onChange((state) => ({ ...state, selected: next.key }));
  }

  /** @param {KeyboardEvent} event */
  #key({ key, target, ctrlKey, metaKey, altKey }) {
    if (ctrlKey || metaKey || altKey || target instanceof HTMLInputElement) return;
    if (key === "ArrowLeft") this.#go(-1);
    else if (key === "ArrowRight") this.#go(1);
  }

  #closed() {
    const sample = this.#sample;
    this.#sample = null;
    this.#pictures = null;
    this.#followers = [];
    this.#ofTargets = [];
    this.#tabs = [];
    this.#probabilities = null;
    this.#dialog.content.replaceChildren();
    this.onChange((state) => (state.selected === null ? state : { ...state, selected: null }));
    if (sample) this.onClose(sample);
  }
}

/**
 * @param {string} title
 * @param {HTMLElement} content
 */
function section(title, content) {
  return element("section", {}, element("h3", {}, title), content);
}

/**
 * @param {string} sign
 * @param {string} ariaLabel
 * @param {() => void} onClick
 */
function button(sign, ariaLabel, onClick) {
  const node = element("button", { type: "button", ariaLabel, title: ariaLabel }, sign);
  node.addEventListener("click", onClick);
  return node;
}
