/** Two runs side by side on the same samples, and what differs between them. */

import { className, countOf, decimals, signedDecimals } from "../captions.js";
import { comparisonInUse, differencesOf, pairsShown } from "../comparison.js";
import { neighbour } from "../keyboard.js";
import { boxInPair, pairLayout, pairsBetween, sizeOfPairs } from "../pair_layout.js";
import { comparedRuns, runsOfTag, withCompared } from "../state.js";
import { Card, NOT_TO_OPEN } from "./card.js";
import { element, place } from "./dom.js";
import { precise } from "./facts.js";
import { fill, labelled, select } from "./fields.js";
import { note } from "./messages.js";

/** @import {Comparison, Pair} from "../comparison.js" */
/** @import {Command} from "../keyboard.js" */
/** @import {PairLayout} from "../pair_layout.js" */
/** @import {OnChange, State} from "../state.js" */
/** @import {Picture, Sample} from "../types.js" */
/** @import {Scene} from "./card.js" */

/** What exists above and below the visible part, in screens. */
const MARGIN = 0.5;
const NO_RUNS = "Choose two different runs with this tag.";
const NO_PAIRS = `These two runs have no sample in common. Samples are paired by their ids: give the hook the same ids in both
runs, as in hook(inputs, logits, labels, ids=names), or the same fixed samples with hook.probe(inputs, labels, ids).`;
const FILTERED = "No pair passes all filters: take some away.";

/** @typedef {{element: HTMLElement, cards: [Card, Card]}} Row */

export class Compare {
  /** @type {State | null} */
  #state = null;
  /** @type {Sample[]} */
  #samples = [];
  /** @type {readonly unknown[]} what the pairs were made of */
  #arranged = [];
  /** @type {Pair[]} */
  #pairs = [];
  /** @type {PairLayout | null} */
  #layout = null;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #content = element("div", { className: "content" });
  #scroller = element("div", { className: "pairs", tabIndex: 0, role: "region", ariaLabel: "Pairs of samples" }, this.#content);
  #first;
  #second;
  #count = element("p", { role: "status" });
  #nothing = note(NO_PAIRS);
  element;

  /**
   * @param {Scene} scene
   * @param {object} listener
   * @param {OnChange} listener.onChange
   * @param {(samples: Sample[]) => void} listener.onWanted which are needed, the visible first
   * @param {(card: Card) => void} listener.onCard which was just made, still empty
   * @param {(sample: Sample) => void} listener.onOpen which is to be shown large
   */
  constructor(scene, listener) {
    this.scene = scene;
    this.listener = listener;
    const choose = () =>
      listener.onChange((state) => withCompared(state, [this.#first.value, this.#second.value]));
    this.#first = select("compared-first", choose);
    this.#second = select("compared-second", choose);
    const tools = element(
      "div",
      { className: "view-tools" },
      labelled("Left", this.#first),
      labelled("Right", this.#second),
      this.#count,
    );
    this.element = element("section", { className: "compare" }, tools, this.#nothing, this.#scroller);
    this.#scroller.addEventListener("scroll", () => this.#render());
    this.#scroller.addEventListener("click", ({ target }) => {
      if (target instanceof Element && !target.closest(NOT_TO_OPEN)) this.#open(target);
    });
    new ResizeObserver(() => this.#arrange()).observe(this.#scroller);
  }

  /** @param {State} state @param {Sample[]} samples filtered and sorted */
  show(state, samples) {
    this.#state = state;
    this.#samples = samples;
    this.#arrange();
  }

  /** Whether another view, or another tab of TensorBoard, is chosen. */
  get hidden() {
    return this.element.hidden || window.innerHeight === 0;
  }

  #arrange() {
    const state = this.#state;
    if (this.hidden || !state) return;
    const runs = comparedRuns(state);
    this.#showRuns(state, runs);
    const { chosenZoom, target, cardChoices } = state;
    const comparison = comparisonInUse(state);
    const made = [comparison, this.#samples, chosenZoom, target, cardChoices, this.element.clientWidth];
    if (made.some((input, at) => input !== this.#arranged[at])) {
      this.#arranged = made;
      this.#pair(comparison, runs);
      for (const { element: node } of this.#rows.values()) node.remove();
      this.#rows.clear();
      const frame = {
        width: this.element.clientWidth - 16,
        ratio: window.devicePixelRatio,
        zoom: chosenZoom,
        target,
        choices: cardChoices,
      };
      this.#layout = this.#pairs.length ? pairLayout(this.#pairs, frame) : null;
      if (this.#layout) place(this.#content, sizeOfPairs(this.#layout));
    }
    this.#render();
  }

  /**
   * @param {State} state
   * @param {[string, string] | null} compared
   */
  #showRuns(state, compared) {
    const runs = runsOfTag(state);
    for (const [at, choice] of [this.#first, this.#second].entries()) {
      fill(choice, runs.map((run) => [run, run]));
      if (compared) choice.value = compared[at];
    }
  }

  /**
   * @param {Comparison | null} comparison
   * @param {[string, string] | null} runs
   */
  #pair(comparison, runs) {
    this.#pairs = comparison ? pairsShown(comparison, this.#samples) : [];
    this.#count.textContent = "";
    if (comparison?.pairs.length && runs) {
      const { pairs, unmatchedFirst, unmatchedSecond } = comparison;
      this.#count.textContent =
        `${countOf(this.#pairs.length)} of ${countOf(pairs.length)} pairs; ` +
        `${countOf(unmatchedFirst)} samples of ${runs[0]} and ${countOf(unmatchedSecond)} of ${runs[1]} have no partner`;
    }
    this.#nothing.textContent = !comparison ? NO_RUNS : comparison.pairs.length ? FILTERED : NO_PAIRS;
    this.#nothing.hidden = this.#pairs.length > 0;
    this.#scroller.hidden = !this.#pairs.length;
  }

  #render() {
    const { scrollTop, clientHeight } = this.#scroller;
    if (this.hidden || !this.#layout || !clientHeight) return;
    const margin = MARGIN * clientHeight;
    const [first, end] = pairsBetween(this.#layout, scrollTop - margin, scrollTop + clientHeight + margin);
    const pairs = this.#pairs.slice(first, end);
    const keys = new Set(pairs.map(keyOf));
    for (const [key, { element: node }] of this.#rows) {
      if (keys.has(key)) continue;
      node.remove();
      this.#rows.delete(key);
    }
    pairs.forEach((pair, at) => {
      if (!this.#rows.has(keyOf(pair))) this.#makeRow(pair, first + at);
    });
    this.listener.onWanted(pairs.flatMap((pair) => [pair.first, pair.second]));
  }

  /**
   * @param {Pair} pair
   * @param {number} at
   */
  #makeRow(pair, at) {
    const layout = /** @type {PairLayout} */ (this.#layout);
    const [first, second] = [pair.first, pair.second].map((sample, which) => {
      const card = new Card(sample, layout.cards[at][which], this.scene, this.listener.onChange);
      place(card.element, boxInPair(layout, at, which ? 1 : 0));
      return card;
    });
    const node = element("div", { className: "pair" }, differences(pair), first.element, second.element);
    place(node, { top: layout.tops[at], height: layout.tops[at + 1] - layout.tops[at] });
    this.#content.append(node);
    this.#rows.set(keyOf(pair), { element: node, cards: [first, second] });
    this.listener.onCard(first);
    this.listener.onCard(second);
  }

  /** @param {string} key */
  #card(key) {
    for (const { cards } of this.#rows.values()) {
      for (const card of cards) if (card.sample.key === key) return card;
    }
    return undefined;
  }

  /** @param {Sample} sample */
  rasterOf({ key }) {
    return this.#card(key)?.layout.raster;
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   */
  showPicture({ key }, picture) {
    this.#card(key)?.showPicture(picture, this.scene);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    this.#card(key)?.showProblem(problem);
  }

  /** @param {Scene} scene */
  setScene(scene) {
    const before = this.scene;
    this.scene = scene;
    const same = (/** @type {(keyof Scene)[]} */ ...parts) => parts.every((part) => scene[part] === before[part]);
    if (!same("runColour", "largestStrength")) {
      this.#arranged = [];
      this.#arrange();
      return;
    }
    for (const { cards } of this.#rows.values()) {
      for (const card of cards) {
        if (!same("strength", "ownStrengths")) card.showStrength(scene);
        if (!same("theme", "look", "scaleEnd")) card.showLook(scene);
      }
    }
  }

  /** @param {Element | null} target */
  #open(target) {
    const card = target?.closest(".sample");
    const sample = card instanceof HTMLElement ? this.#card(card.dataset.sample ?? "")?.sample : undefined;
    if (sample) this.listener.onOpen(sample);
  }

  /** Opens the sample that has the focus. */
  open() {
    this.#open(document.activeElement);
  }

  /**
   * Moves the focus from card to card, at first to the first that is visible.
   * @param {Command} command
   */
  move(command) {
    const layout = this.#layout;
    if (!layout) return;
    const samples = this.#pairs.flatMap(({ first, second }) => [first, second]);
    const focused = document.activeElement?.closest(".sample");
    const key = focused instanceof HTMLElement ? focused.dataset.sample : undefined;
    const from = samples.findIndex((sample) => sample.key === key);
    const [first] = pairsBetween(layout, this.#scroller.scrollTop, this.#scroller.scrollTop + 1);
    const to = from < 0 ? 2 * first : neighbour(from, command, 2, samples.length);
    const pair = Math.floor(to / 2);
    const { scrollTop, clientHeight } = this.#scroller;
    const [top, bottom] = [layout.tops[pair], layout.tops[pair + 1]];
    this.#scroller.scrollTop = Math.min(Math.max(scrollTop, bottom - clientHeight), top);
    this.#render();
    this.#card(samples[to].key)?.element.focus({ preventScroll: true });
  }
}

/** @param {Pair} pair */
function keyOf({ first, second }) {
  return `${first.key}\n${second.key}`;
}

/** @param {Pair} pair */
function differences(pair) {
  const { first, second } = pair;
  const { prediction, steps, margin, flipDistances } = differencesOf(pair);
  const nameOf = (/** @type {Sample} */ sample) => className(sample.session.class_names, sample.classes[0]);
  const step = steps
    ? `step ${countOf(first.step)} beside ${countOf(second.step)}`
    : `step ${countOf(first.step)}`;
  const change = margin === null ? "" : ` (${signedDecimals(margin)})`;
  const words = [
    element("strong", {}, first.id ?? ""),
    element("span", {}, step),
    prediction
      ? element("span", { className: "differs" }, `≠ says ${nameOf(first)} | ${nameOf(second)}`)
      : element("span", {}, `both say ${nameOf(first)}`),
    element("span", {}, `margin ${decimals(first.margin)} | ${decimals(second.margin)}${change}`),
    ...flipDistances.map(({ target, first: one, second: other }) => {
      const goal = className(first.session.class_names, target);
      const told = (/** @type {number | null} */ distance) => (distance === null ? "never" : precise(distance));
      return element("span", {}, `flip distance → ${goal}: ${told(one)} | ${told(other)}`);
    }),
  ];
  return element("div", { className: "differences" }, ...words);
}
