/** The Pair view: the samples between two classes, in a column for each prediction. */

import { equalRows } from "../../layout/places.js";
import { formatCount, formatDistance, formatPercent, labelCaption } from "../../samples/captions.js";
import { byDistance } from "../../samples/pairs.js";
import { rangeBefore, rangeCaption } from "../../samples/step_ranges.js";
import { moreSteps, openedPair, rangeInUse } from "../../state/overview.js";
import { namesOf, recordedSteps, runColours } from "../../state/selectors.js";
import { withFilters } from "../../state/transitions.js";
import { element, onPixelRatio } from "../common/dom.js";
import { Example, exampleRaster } from "../common/example.js";
import { ExampleGroup } from "../common/example_group.js";
import { VirtualList } from "../common/virtual_list.js";
import { MeanPanel, averagedMembers } from "./mean_panel.js";
import { Scatter } from "./scatter.js";

/** @import {Member, PairSummary} from "../../samples/pairs.js" */
/** @import {Command} from "../common/key_commands.js" */
/** @import {DisplaySettings, ViewListener} from "../common/sample_view.js" */
/** @import {State} from "../../state/state.js" */
/** @import {Picture, Sample} from "../../types.js" */

/** The height of a row, in CSS pixels. */
const ROW = 96;

/**
 * The samples at one position of both columns, by flip distance. A column can be shorter than the other.
 * @typedef {{position: number, members: (Member | null)[]}} Line
 */

/** @typedef {{element: HTMLElement, examples: Example[]}} Row */

export class PairView {
  /** @type {State | null} */
  #state = null;
  /** @type {readonly unknown[]} the inputs of what is on the screen */
  #arranged = [];
  /** @type {[Member[], Member[]]} those that the network says are the first, and the second class */
  #columns = [[], []];
  #nameOf = (/** @type {number} */ index) => String(index);
  #frame = 0;
  #title = element("h2");
  #facts = element("p", { className: "pair-facts", role: "status" });
  #nothing = element("p", { className: "nothing" });
  #scatter;
  #scatterSection;
  #heads = [element("h3"), element("h3")];
  #counts = [element("p", { className: "column-count" }), element("p", { className: "column-count" })];
  #means = [new MeanPanel(), new MeanPanel()];
  #columnHeads;
  #list;
  #examples;
  element;

  /**
   * @param {DisplaySettings} settings
   * @param {ViewListener} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    const back = element("button", { type: "button", className: "back" }, "‹ Overview");
    back.addEventListener("click", () => listener.onChange((state) => ({ ...state, view: "overview" })));
    const samples = element("button", { type: "button" }, "Show in Samples");
    samples.title = "Shows the samples whose two most probable classes are these";
    samples.addEventListener("click", () => listener.onChange(inSamples));
    this.#scatter = new Scatter((range) => listener.onChange((state) => ({ ...state, overviewSteps: range })));
    this.#scatterSection = element(
      "section",
      { ariaLabel: "Flip distances over the steps" },
      element(
        "h3",
        {},
        "Distance to flip, step by step ",
        element("small", {}, "drag to choose steps; ✗ is wrong; smaller is more fragile"),
      ),
      this.#scatter.element,
    );
    this.#columnHeads = element(
      "div",
      { className: "columns" },
      ...[0, 1].map((which) =>
        element("div", { className: "column-head" }, this.#heads[which], this.#counts[which], this.#means[which].element),
      ),
    );
    const properties = { className: "pair-view", tabIndex: 0, role: "region", ariaLabel: "Pair of classes" };
    this.element = element("section", properties);
    this.#list = new VirtualList(this.element, {
      keyOf: (/** @type {Line} */ { position }) => position,
      makeRow: (/** @type {Line} */ line) => this.#row(line),
    });
    this.#examples = new ExampleGroup(listener, () => this.#list.rows.flatMap(({ examples }) => examples));
    this.element.append(
      element("div", { className: "pair-title" }, back, this.#title, samples),
      this.#facts,
      this.#scatterSection,
      this.#nothing,
      this.#columnHeads,
      this.#list.element,
    );
    this.element.addEventListener("scroll", () => this.#render());
    this.element.addEventListener("click", ({ target }) => this.#examples.open(target));
    new ResizeObserver(() => this.refresh()).observe(this.element);
    onPixelRatio(() => this.refresh());
  }

  /** Whether another view or another tab of TensorBoard is visible. */
  get hidden() {
    return this.element.hidden || window.innerHeight === 0;
  }

  /** @param {State} state */
  show(state) {
    this.#state = state;
    this.refresh();
  }

  refresh() {
    const state = this.#state;
    if (this.hidden || !state) return;
    const { pair, summary } = openedPair(state);
    const { clientWidth } = this.element;
    const arranged = [pair, summary, state.openPair, rangeInUse(state), recordedSteps(state), clientWidth, runColours(state)];
    if (arranged.some((input, at) => input !== this.#arranged[at])) {
      const isOther = state.openPair?.join() !== /** @type {number[] | null} */ (this.#arranged[2])?.join();
      this.#arranged = arranged;
      this.#nameOf = namesOf(state);
      this.#showHead(state, summary);
      this.#scatterSection.hidden = !pair;
      if (pair) {
        const options = { low: pair.one, steps: recordedSteps(state), range: rangeInUse(state), width: clientWidth - 48 };
        this.#scatter.show(pair.members, options);
      }
      this.#showColumns(summary);
      if (isOther) this.element.scrollTop = 0;
    }
    this.#render();
  }

  /**
   * @param {State} state
   * @param {PairSummary | null} summary
   */
  #showHead({ openPair }, summary) {
    const state = /** @type {State} */ (this.#state);
    const range = rangeInUse(state);
    const names = openPair?.map(this.#nameOf);
    this.#title.textContent = names ? `${names[0]} ↔ ${names[1]}` : "No pair is chosen";
    this.#facts.replaceChildren(...(summary ? factsOf(summary, rangeCaption(rangeBefore(range))) : []));
    this.#facts.hidden = !summary;
    this.#nothing.hidden = Boolean(summary);
    this.#columnHeads.hidden = !summary;
    this.#nothing.textContent = names
      ? `No confused sample between ${names[0]} and ${names[1]} was captured at ${rangeCaption(range)}.${moreSteps(state)}`
      : "Choose a pair of classes in the Overview.";
  }

  /** @param {PairSummary | null} summary */
  #showColumns(summary) {
    this.#list.clear();
    if (!summary) {
      this.#columns = [[], []];
      this.#list.show([], equalRows(0, ROW));
      return;
    }
    const { one, other } = summary.pair;
    const sorted = summary.members.toSorted(byDistance);
    const said = (/** @type {number} */ index) => sorted.filter(({ sample }) => sample.classes[0] === index);
    this.#columns = [said(one), said(other)];
    [one, other].forEach((index, which) => {
      const [name, goal] = [this.#nameOf(index), this.#nameOf(index === one ? other : one)];
      const members = this.#columns[which];
      const wrong = members.filter((member) => member.wrong).length;
      this.#heads[which].replaceChildren(
        element("i", { className: which ? "second" : "first", ariaHidden: "true" }),
        `Said ${name} → ${goal}`,
      );
      const right = members.length - wrong;
      const parts = [];
      if (wrong) parts.push(`${formatCount(wrong)} ${wrong === 1 ? "is" : "are"} labelled ${goal}: wrong`);
      if (right) parts.push(`${formatCount(right)} ${right === 1 ? "is" : "are"} near ${goal}`);
      this.#counts[which].textContent = parts.join("; ") || "none";
    });
    const length = Math.max(...this.#columns.map((column) => column.length));
    const lines = Array.from({ length }, (_, position) => ({
      position,
      members: this.#columns.map((column) => column[position] ?? null),
    }));
    this.#list.show(lines, equalRows(length, ROW));
    this.#showMeans();
  }

  /** Shows the means soon: many pictures can arrive within one frame. */
  #showMeansSoon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#showMeans();
    });
  }

  #showMeans() {
    const { openPair } = this.#state ?? {};
    if (!openPair || this.hidden) return;
    this.#means.forEach((panel, which) => {
      const goal = this.#nameOf(openPair[1 - which]);
      panel.show(this.#columns[which], goal, (sample) => this.listener.picture(sample), this.settings);
    });
  }

  /**
   * @param {Line} line
   * @returns {Row}
   */
  #row({ members }) {
    const examples = members.map((member) => (member ? this.#example(member) : null));
    const cells = examples.map((example) => element("div", { className: "pair-cell" }, ...(example ? [example.element] : [])));
    return {
      element: element("div", { className: "columns pair-line" }, ...cells),
      examples: examples.filter((example) => example !== null),
    };
  }

  /** @param {Member} member */
  #example({ sample, target, distance, wrong }) {
    const { classes, probabilities, step, id, run } = sample;
    const colourOf = this.#state && runColours(this.#state);
    const flip =
      distance === null || !target
        ? "no morph to the other class"
        : distance === Infinity
          ? `never becomes ${this.#nameOf(target.index)}`
          : `${this.#nameOf(target.index)} at a distance of ${formatDistance(distance)}`;
    const origin = element("span", { className: "origin" });
    if (colourOf) {
      const dot = element("span", { className: "run-colour", title: run });
      dot.style.background = colourOf(run);
      origin.append(dot, " ");
    }
    origin.append(`step ${formatCount(step)}${id === null ? "" : ` · ${id}`}`);
    const truth = element("span", { className: wrong ? "truth wrong" : "truth" }, labelCaption(sample) + (wrong ? " ✗" : ""));
    const said = `${this.#nameOf(classes[0])} ${formatPercent(probabilities[0])}`;
    const words = element(
      "span",
      { className: "example-words" },
      element("span", { className: "line" }, element("span", {}, said, ", ", truth)),
      element("span", { className: "line" }, flip),
      origin,
    );
    return new Example(sample, target, {
      panels: ["morph", "change"],
      morph: this.settings.morph,
      distance,
      caption: [words],
    });
  }

  #render() {
    if (this.hidden) return;
    this.#list.render();
    this.#examples.showLoaded(this.settings);
    const averaged = this.#columns.flatMap((column) => averagedMembers(column).map(({ sample }) => sample));
    this.listener.onWanted([...new Set([...this.#examples.samples, ...averaged])]);
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
    if (this.hidden) return;
    this.#examples.showPicture(sample, picture, this.settings);
    this.#showMeansSoon();
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
    const fields = /** @type {const} */ (["theme", "gradientColors", "scaleEnd", "morph"]);
    if (fields.every((field) => settings[field] === before[field])) return;
    if (settings.morph !== before.morph) this.#list.clear();
    this.#examples.showSettings(settings);
    this.#showMeansSoon();
    this.#render();
  }

  /** @param {boolean} on */
  blink(on) {
    this.#examples.blink(on, this.settings);
  }

  /** @param {Command} command */
  move(command) {
    const position = this.#list.focusedPosition;
    if (position < 0) {
      this.#list.focus(0);
      return;
    }
    const { members } = this.#list.items[position];
    const isSecond = document.activeElement?.closest(".pair-cell")?.previousElementSibling ? 1 : 0;
    const side = command === "left" ? 0 : command === "right" ? 1 : isSecond;
    const last = this.#list.items.length - 1;
    const row = { up: position - 1, down: position + 1, first: 0, last }[/** @type {string} */ (command)] ?? position;
    this.#list.focus(row, members[0] ? side : 0);
  }

  /** Examples are buttons, which Enter presses itself. */
  open() {}

  /** @param {Sample} sample */
  focus({ key }) {
    const row = this.#list.items.findIndex(({ members }) => members.some((member) => member?.sample.key === key));
    if (row < 0 || this.hidden) {
      this.element.focus();
      return;
    }
    const [first] = this.#list.items[row].members;
    this.#list.focus(row, first && first.sample.key !== key ? 1 : 0);
  }
}

/**
 * @param {State} state
 * @returns {State} the Samples view with the pair's samples
 */
function inSamples(state) {
  const { from, to } = rangeInUse(state);
  return { ...withFilters(state, { pair: state.openPair, steps: { from, to } }), view: "samples" };
}

/**
 * @param {PairSummary} summary
 * @param {string} before the caption of the range before
 */
function factsOf({ captures, wrong, distance, distanceBefore, fragile, confirmed }, before) {
  const fact = (/** @type {string} */ value, /** @type {string} */ words) =>
    element("span", {}, element("strong", {}, value), ` ${words}`);
  const facts = [
    fact(formatCount(captures), captures === 1 ? "capture" : "captures"),
    fact(formatCount(wrong), "wrong"),
  ];
  if (distance !== null) {
    const was = distanceBefore === null ? "" : ` (it was ${formatDistance(distanceBefore)} at ${before})`;
    facts.push(fact(formatDistance(distance), `median distance to flip${was}`));
  }
  if (fragile.of) facts.push(fact(formatPercent(fragile.count / fragile.of), "fragile"));
  if (confirmed.of) facts.push(fact(formatPercent(confirmed.count / confirmed.of), "convince all judges"));
  return facts;
}
