/** The Compare view: two runs side by side on the same samples, with their differences. */

import { className, formatCount, formatCounted, formatShort, formatSigned } from "../../samples/captions.js";
import { byDifference, changeOf, changesOf, differencesOf, pairsShown, runRows } from "../../samples/comparison.js";
import { neighbour } from "../common/key_commands.js";
import { sameLayout } from "../../layout/grid_layout.js";
import { boxInPair, pairLayout, placesOfPairs } from "../../layout/pair_layout.js";
import { comparisonInUse, comparedRuns, offeredRuns, runColour, runsOfTag, shownTargets, tickedRuns } from "../../state/selectors.js";
import { withCompared } from "../../state/transitions.js";
import { stricterMode } from "../../layout/scroll_anchor.js";
import { Card, INTERACTIVE, blinkCards, sampleKeyAt, updateCards } from "../card/card.js";
import { element, onPixelRatio, setBox } from "../common/dom.js";
import { select, setOptions } from "../common/form_fields.js";
import { note } from "../common/messages.js";
import { showLoaded } from "../common/sample_view.js";
import { textWidth } from "../common/text_width.js";
import { VirtualList } from "../common/virtual_list.js";
import { signedMargin } from "../../samples/signed_margin.js";
import { ChangeTable } from "./change_table.js";
import { RunTable } from "./run_table.js";

/** @import {Comparison, Pair} from "../../samples/comparison.js" */
/** @import {Command} from "../common/key_commands.js" */
/** @import {PairLayout} from "../../layout/pair_layout.js" */
/** @import {State} from "../../state/state.js" */
/** @import {AnchorMode} from "../../layout/scroll_anchor.js" */
/** @import {Picture, Sample} from "../../types.js" */
/** @import {DisplaySettings, ViewListener} from "../common/sample_view.js" */

const NO_RUNS = "Choose two different runs that have this tag.";
const ONE_RUN = `This view shows what one run gets right and another gets wrong, sample by sample. So far one run has this
tag. Train another one into a directory beside it, with the same ids or the same probes. It then appears here.`;
const SHORT_OF_CHANGE = "No sample is of this kind. Choose another one above.";
const NO_PAIRS = `These two runs have no sample in common. Samples are paired by their ids. Give the hook the same ids
in both runs: hook(inputs, logits, labels, ids=names). Or probe the same fixed samples: hook.probe(inputs, labels, ids).`;
const FILTERED = "No pair passes all filters. Remove a filter.";

/** @typedef {{element: HTMLElement, cards: [Card, Card]}} Row */

export class Compare {
  /** @type {State | null} */
  #state = null;
  /** @type {Sample[]} */
  #samples = [];
  /** @type {readonly unknown[]} the inputs of the present pairs */
  #arranged = [];
  /** @type {AnchorMode} the mode for all changes since the last layout */
  #anchorMode = "always";
  /** @type {PairLayout} */
  #layout = { cards: [], sideBySide: true, columnWidth: 0, tops: [0] };
  #scroller = element("div", { className: "pairs", tabIndex: 0, role: "region", ariaLabel: "Pairs of samples" });
  /** @type {VirtualList<Pair, Row>} */
  #list = new VirtualList(this.#scroller, {
    keyOf,
    makeRow: (pair, at) => this.#makeRow(pair, at),
    fits: ({ cards }, { first, second }, at) =>
      cards.every(
        (card, which) =>
          card.sample === [first, second][which] && sameLayout(card.layout, this.#layout.cards[at][which]),
      ),
    update: ({ cards }, _, at) => this.#updateRow(cards, at),
  });
  #first;
  #second;
  #count = element("p", { role: "status" });
  #changes;
  #table;
  #all = element("button", { type: "button" });
  /** The choice of the runs, and what follows from it. */
  #tools;
  #nothing = note(NO_PAIRS);
  element;

  /**
   * @param {DisplaySettings} settings
   * @param {ViewListener} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    const choose = () => listener.onChange((state) => withCompared(state, [this.#first.value, this.#second.value]));
    this.#first = select("compared-first", choose);
    this.#second = select("compared-second", choose);
    this.#first.ariaLabel = "Left";
    this.#second.ariaLabel = "Right";
    this.#changes = new ChangeTable((change) => listener.onChange((state) => ({ ...state, change })));
    this.#table = new RunTable((sample) => listener.onOpen(sample));
    this.#all.addEventListener("click", () => listener.onChange((state) => ({ ...state, compared: null })));
    this.#tools = element(
      "div",
      { className: "view-tools" },
      element("div", { className: "compared" }, this.#first, element("span", {}, "against"), this.#second, this.#all),
      this.#changes.element,
      this.#count,
    );
    this.element = element(
      "section",
      { className: "compare" },
      this.#tools,
      this.#nothing,
      this.#table.element,
      this.#scroller,
    );
    this.#scroller.append(this.#list.element);
    this.#scroller.addEventListener("scroll", () => this.#render());
    this.#scroller.addEventListener("click", ({ target }) => {
      if (target instanceof Element && !target.closest(INTERACTIVE)) this.#open(target);
    });
    new ResizeObserver(() => this.refresh()).observe(this.#scroller);
    onPixelRatio(() => this.refresh());
  }

  /**
   * @param {State} state
   * @param {Sample[]} samples filtered and sorted
   * @param {AnchorMode} [anchorMode]
   */
  show(state, samples, anchorMode = "always") {
    this.#state = state;
    this.#samples = samples;
    this.#anchorMode = stricterMode(anchorMode, this.#anchorMode);
    this.refresh();
  }

  /** Whether another view or another tab of TensorBoard is visible. */
  get hidden() {
    return this.element.hidden || window.innerHeight === 0;
  }

  /** Shows what changed while the view was hidden, and adapts the layout to the size of the window. */
  refresh() {
    const state = this.#state;
    if (this.hidden || !state) return;
    this.#showRuns(state, comparedRuns(state));
    const { chosenZoom: zoom, targetChoices: choices } = state;
    const targets = shownTargets(state);
    // The list is hidden while it is empty.
    const clientWidth = this.#scroller.clientWidth || this.element.clientWidth;
    const ratio = window.devicePixelRatio;
    const { change, sort } = state;
    const made = [comparisonInUse(state), this.#samples, zoom, targets, choices, clientWidth, ratio, change, sort, state.compared];
    if (made.some((input, at) => input !== this.#arranged[at])) {
      this.#arranged = made;
      const pairs = this.#pairsOf(state);
      this.#layout = pairLayout(pairs, { measure: textWidth, width: clientWidth, ratio, zoom, targets, choices });
      this.#list.show(pairs, placesOfPairs(this.#layout), this.#anchorMode);
      this.#anchorMode = "always";
    }
    this.#render();
  }

  /**
   * @param {State} state
   * @param {[string, string] | null} compared
   */
  #showRuns(state, compared) {
    const runs = runsOfTag(state);
    this.#tools.hidden = runs.length < 2;
    for (const [at, choice] of [this.#first, this.#second].entries()) {
      setOptions(
        choice,
        runs.map((run) => [run, run]),
      );
      if (compared) choice.value = compared[at];
    }
  }

  /**
   * Shows what the two runs have in common, in words and numbers.
   * @param {State} state
   * @returns {Pair[]} the pairs to show as cards
   */
  #pairsOf(state) {
    const comparison = comparisonInUse(state);
    const runs = comparedRuns(state);
    const ticked = tickedRuns(state);
    const isTable = state.compared === null && ticked.length > 2;
    this.#all.hidden = ticked.length < 3 || isTable;
    this.#all.textContent = `All ${formatCounted(ticked.length, "run")}`;
    const passing = comparison && !isTable ? pairsShown(comparison, this.#samples) : [];
    const counts = changesOf(passing);
    const { change } = state;
    const chosen = change ? passing.filter((pair) => changeOf(pair) === change) : passing;
    // The usual order is about single samples. Pairs have one of their own.
    const pairs = state.sort === "border" ? byDifference(chosen) : chosen;
    this.#changes.show(runs && passing.length ? runs : null, counts, change);
    const rows = isTable ? runRows(this.#samples, ticked) : [];
    this.#table.show(rows, ticked, (run) => runColour(state, run));
    this.#count.textContent = "";
    if (isTable) {
      this.#count.textContent = `${formatCounted(rows.length, "sample")} in at least two of ${ticked.length} runs; those first that the runs disagree most on. Choose two runs to see their pictures.`;
    } else if (comparison?.pairs.length && runs) {
      this.#count.textContent = countCaption(pairs.length, comparison, runs);
    }
    this.#nothing.textContent =
      passing.length && !chosen.length ? SHORT_OF_CHANGE : noPairsReason(state, comparison, runs);
    this.#nothing.hidden = pairs.length > 0 || rows.length > 0;
    this.#scroller.hidden = !pairs.length;
    return pairs;
  }

  #render() {
    if (this.hidden) return;
    this.#list.render();
    const shown = this.#list.near.flatMap(({ first, second }) => [first, second]);
    this.listener.onWanted(shown.filter(({ key }) => this.#card(key)?.layout.drawable));
  }

  /**
   * @param {[Card, Card]} cards
   * @param {number} at the position of the pair
   */
  #updateRow(cards, at) {
    cards.forEach((card, which) => {
      setBox(card.element, boxInPair(this.#layout, at, which ? 1 : 0));
      // This also fills a kept card whose picture was loaded while another view was visible.
      if (!card.isPainted) showLoaded(card, this.listener, this.settings);
    });
  }

  /**
   * @param {Pair} pair
   * @param {number} at
   * @returns {Row}
   */
  #makeRow(pair, at) {
    const [first, second] = [pair.first, pair.second].map(
      (sample, which) => new Card(sample, this.#layout.cards[at][which], this.settings, this.listener.onChange),
    );
    const node = element("div", { className: "pair" }, differences(pair), first.element, second.element);
    return { element: node, cards: [first, second] };
  }

  /** @param {string} key */
  #card(key) {
    return this.#cards.find(({ sample }) => sample.key === key);
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
    this.#card(key)?.showPicture(picture, this.settings);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    this.#card(key)?.showProblem(problem);
  }

  get #cards() {
    return this.#list.rows.flatMap(({ cards }) => cards);
  }

  /**
   * Shows the originals in place of the morphs, on the focused card or on all cards; or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    blinkCards(this.#cards, on);
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const before = this.settings;
    this.settings = settings;
    if (updateCards(this.#cards, settings, before)) return;
    this.#list.clear();
    this.#render();
  }

  /** @param {Element | null} target */
  #open(target) {
    const card = target?.closest(".sample");
    const sample = card instanceof HTMLElement ? this.#card(card.dataset.sample ?? "")?.sample : undefined;
    if (sample) this.listener.onOpen(sample);
  }

  /** Opens the focused sample. */
  open() {
    this.#open(document.activeElement);
  }

  /**
   * Moves the focus from card to card. If no card is focused, it goes to the first visible one.
   * @param {Command} command
   */
  move(command) {
    const samples = this.#list.items.flatMap(({ first, second }) => [first, second]);
    if (!samples.length) return;
    const key = sampleKeyAt(document.activeElement);
    const from = samples.findIndex((sample) => sample.key === key);
    const to = from < 0 ? 2 * this.#list.firstVisible : neighbour(from, command, 2, samples.length);
    this.#list.focus(Math.floor(to / 2), ({ cards }) => cards[to % 2].element);
  }

  /**
   * Scrolls to the card of a sample and focuses it. If the sample is not shown, it focuses the view.
   * @param {Sample} sample
   */
  focus({ key }) {
    const position = this.#list.items.findIndex(({ first, second }) => first.key === key || second.key === key);
    if (position < 0 || this.hidden) this.#scroller.focus();
    else this.#list.focus(position, ({ cards }) => cards.find(({ sample }) => sample.key === key)?.element);
  }
}

/**
 * Why no pair is shown.
 * @param {State} state
 * @param {Comparison | null} comparison
 * @param {[string, string] | null} runs
 */
function noPairsReason(state, comparison, runs) {
  if (runsOfTag(state).length === 1) return ONE_RUN;
  if (!comparison || !runs) return NO_RUNS;
  for (const run of runs) {
    if (!offeredRuns(state).includes(run))
      return `The run filter excludes ${run}. Change the filter, or choose another run.`;
    if (!tickedRuns(state).includes(run))
      return `${run} is not ticked. Tick it in the list of runs, or choose another run.`;
    if (!state.indexes.has(run)) return `The samples of ${run} are not loaded yet.`;
  }
  return comparison.pairs.length ? FILTERED : NO_PAIRS;
}

/**
 * @param {number} shown
 * @param {Comparison} comparison
 * @param {[string, string]} runs
 */
function countCaption(shown, { pairs, unmatchedFirst, unmatchedSecond }, [first, second]) {
  return (
    `${formatCount(shown)} of ${formatCounted(pairs.length, "pair")}; ` +
    `${formatCounted(unmatchedFirst, "sample")} of ${first} and ${formatCounted(unmatchedSecond, "sample")} of ${second} have no partner`
  );
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
    ? `steps ${formatCount(first.step)} | ${formatCount(second.step)}`
    : `step ${formatCount(first.step)}`;
  const change = margin === null ? "" : ` (${formatSigned(margin)})`;
  const words = [
    element("strong", {}, first.id ?? ""),
    element("span", {}, step),
    prediction
      ? element("span", { className: "differs" }, `≠ predictions ${nameOf(first)} | ${nameOf(second)}`)
      : element("span", {}, `both predict ${nameOf(first)}`),
    element(
      "span",
      { title: "Signed margin: the probability of the label minus that of the most probable other class" },
      `signed margin ${formatSigned(signedMargin(first))} | ${formatSigned(signedMargin(second))}${change}`,
    ),
    ...flipDistances.map(({ target, first: one, second: other }) => {
      const goal = className(first.session.class_names, target);
      const told = (/** @type {number | null} */ distance) => (distance === null ? "never" : formatShort(distance));
      return element("span", {}, `flip distance → ${goal}: ${told(one)} | ${told(other)}`);
    }),
  ];
  const title = words.map(({ textContent }) => textContent).join(" · ");
  return element("div", { className: "differences", title }, ...words);
}
