/** The Overview: a sentence, a tile for each run, the pairs that are mixed up most, and suspects. */

import { Yielder } from "../../data/yielding.js";
import { formatCount } from "../../samples/captions.js";
import {
  TREND_BINS,
  listedPairs,
  moreSteps,
  pairSummaries,
  pairsInUse,
  rangeInUse,
  readingInUse,
  runSummaries,
  sentenceInUse,
  stepSpan,
  suspectsInUse,
} from "../../state/overview.js";
import { hasLabels, hasProbes, namesOf, recordedSteps, runColour, samplesInUse } from "../../state/selectors.js";
import { withOpenPair } from "../../state/transitions.js";
import { rangeBefore, rangeCaption } from "../../samples/step_ranges.js";
import { element, onPixelRatio } from "../common/dom.js";
import { exampleRaster } from "../common/example.js";
import { ExampleGroup } from "../common/example_group.js";
import { PairTable } from "./pair_table.js";
import { SuspectList } from "./suspect_list.js";
import { RunTiles } from "./run_tiles.js";

/** @import {Part} from "../../samples/overview_sentence.js" */
/** @import {Command} from "../common/key_commands.js" */
/** @import {DisplaySettings, ViewListener} from "../common/sample_view.js" */
/** @import {State} from "../../state/state.js" */
/** @import {Picture, Sample} from "../../types.js" */

/** How often the ages of the newest captures are written again, in milliseconds. */
const AGE_MS = 5_000;
/** Conclusions about so few samples are computed at once. Each pause would cost a paint of the page. */
const FEW_SAMPLES = 500;

export class Overview {
  /** @type {State | null} */
  #state = null;
  /** @type {State | null} the state that is on the screen */
  #shown = null;
  #isBusy = false;
  #showing = Promise.resolve();
  #yielder = new Yielder();
  #sentence = element("p", { className: "conclusion", role: "status" });
  #hint = element("p", { className: "early" });
  #tiles = new RunTiles();
  #table;
  #suspects;
  #examples;
  element;

  /**
   * @param {DisplaySettings} settings
   * @param {ViewListener} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    const properties = { className: "overview-page", tabIndex: 0, role: "region", ariaLabel: "Overview" };
    this.element = element("section", properties);
    this.#table = new PairTable(this.element, listener.onChange, () => this.settings, () => this.#want());
    this.#suspects = new SuspectList(() => this.settings);
    this.#examples = new ExampleGroup(listener, () => [...this.#table.examples, ...this.#suspects.examples]);
    this.element.append(
      element("div", { className: "head" }, this.#sentence, this.#hint),
      this.#tiles.element,
      this.#table.element,
      this.#suspects.element,
    );
    this.element.addEventListener("scroll", () => this.#render());
    this.element.addEventListener("click", ({ target }) => this.#examples.open(target));
    new ResizeObserver(() => this.refresh()).observe(this.element);
    onPixelRatio(() => this.refresh());
    setInterval(() => {
      if (!this.hidden) this.#tiles.showAges();
    }, AGE_MS);
  }

  /** Whether another view or another tab of TensorBoard is visible. */
  get hidden() {
    return this.element.hidden || window.innerHeight === 0;
  }

  /** @param {State} state */
  show(state) {
    this.#state = state;
    this.#showSoon();
  }

  refresh() {
    if (this.hidden) return;
    this.#showSoon();
    this.#render();
  }

  /** Waits until the view shows the last state. */
  async whenShown() {
    await this.#showing;
  }

  #showSoon() {
    if (!this.#isBusy) this.#showing = this.#showInPieces();
  }

  /** Many samples are computed in pieces, so that the page stays responsive while it reads them. */
  async #showInPieces() {
    this.#isBusy = true;
    try {
      while (this.#state && this.#state !== this.#shown && !this.hidden) {
        const state = this.#state;
        const { length } = samplesInUse(state);
        // Without samples the page shows a message instead of the view.
        if (!length) break;
        for (const compute of [pairsInUse, pairSummaries, runSummaries, suspectsInUse]) {
          if (length > FEW_SAMPLES) await this.#yielder.turn();
          compute(state);
        }
        this.#shown = state;
        this.#showAll(state);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {State} state */
  #showAll(state) {
    const range = rangeInUse(state);
    const span = stepSpan(state);
    const nameOf = namesOf(state);
    const colourOf = (/** @type {string} */ run) => runColour(state, run);
    this.#showSentence(sentenceInUse(state));
    const reading = readingInUse(state);
    this.#hint.textContent = reading
      ? `Still reading: ${formatCount(reading.read)} of ${formatCount(reading.all)} captures, the newest first. The figures change until all are read.`
      : earlyHint(state);
    this.#hint.hidden = !this.#hint.textContent;
    this.#tiles.show(runSummaries(state), { range, colourOf, hasProbes: hasProbes(state) });
    const all = pairSummaries(state);
    this.#table.show(listedPairs(state), {
      all: all.length,
      order: state.pairOrder,
      search: state.pairSearch,
      examples: state.examples,
      span,
      range,
      before: rangeBefore(range),
      bins: TREND_BINS,
      nameOf,
      nothing: noPairsReason(state, all.length),
    });
    this.#suspects.show(suspectsInUse(state), { hasLabels: hasLabels(state), range });
    this.#render();
  }

  /** @param {Part[]} parts */
  #showSentence(parts) {
    const words = parts.map((part) => (typeof part === "string" ? part : part.strong)).join("");
    if (this.#sentence.textContent === words) return;
    this.#sentence.replaceChildren(
      ...parts.map((part) => {
        if (typeof part === "string") return part;
        if (!part.pair) return element("strong", {}, part.strong);
        const { one, other } = part.pair;
        const link = element("button", { type: "button", className: "inline" }, part.strong);
        link.addEventListener("click", () => this.listener.onChange((state) => withOpenPair(state, [one, other])));
        return link;
      }),
    );
  }

  #render() {
    if (this.hidden) return;
    this.#table.render();
    this.#want();
  }

  /** Asks for the pictures of the examples, and shows those that are loaded. */
  #want() {
    if (this.hidden) return;
    this.#examples.showLoaded(this.settings);
    this.listener.onWanted(this.#examples.samples);
  }

  /** @param {Sample} sample */
  rasterOf(sample) {
    return this.hidden ? undefined : exampleRaster(sample);
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   */
  showPicture(sample, picture) {
    this.#examples.showPicture(sample, picture, this.settings);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem(sample, problem) {
    this.#examples.showProblem(sample, problem);
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const before = this.settings;
    this.settings = settings;
    if (settings.morph !== before.morph) this.#table.clear();
    const fields = /** @type {const} */ (["theme", "gradientColors", "scaleEnd"]);
    if (fields.every((field) => settings[field] === before[field])) return;
    this.#examples.showSettings(settings);
  }

  /** @param {boolean} on */
  blink(on) {
    this.#examples.blink(on, this.settings);
  }

  /** @param {Command} command */
  move(command) {
    this.#table.move(command);
  }

  /** Rows are buttons, which Enter presses itself. */
  open() {}

  /** @param {Sample} sample */
  focus({ key }) {
    const example = this.#examples.all.find(({ sample }) => sample.key === key);
    (example?.element ?? this.element).focus();
  }
}

/**
 * What is still missing at the beginning of a training.
 * @param {State} state
 */
function earlyHint(state) {
  const steps = recordedSteps(state);
  if (steps.length !== 1) return "";
  return `This is the first capture, at step ${formatCount(steps[0])}. Trends appear from the second captured step on.`;
}

/**
 * @param {State} state
 * @param {number} pairs how many pairs there are within the range
 */
function noPairsReason(state, pairs) {
  if (pairs) return "No pair of classes has these names.";
  const samples = samplesInUse(state);
  if (samples.length && samples.every(({ probe }) => probe)) {
    return "Only probes were captured so far. Pairs are counted among the samples that confuse the network most.";
  }
  return `No confused sample was captured at ${rangeCaption(rangeInUse(state))}.${moreSteps(state)}`;
}

