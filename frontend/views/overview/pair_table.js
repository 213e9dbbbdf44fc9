/** The table of the pairs that are mixed up: ranked, sortable, searchable. Only the rows near the screen exist. */

import { equalRows } from "../../layout/places.js";
import { formatCount, formatDistance, formatPercent } from "../../samples/captions.js";
import { examplesOf, trendOf } from "../../samples/pairs.js";
import { binOf, rangeCaption } from "../../samples/step_ranges.js";
import { withOpenPair } from "../../state/transitions.js";
import { element } from "../common/dom.js";
import { Example } from "../common/example.js";
import { bars, sparkline } from "../common/small_charts.js";
import { VirtualList } from "../common/virtual_list.js";

/** @import {Member, PairOrder, PairSummary, Share} from "../../samples/pairs.js" */
/** @import {StepRange} from "../../samples/step_ranges.js" */
/** @import {Command} from "../common/key_commands.js" */
/** @import {ExamplePanel} from "../common/example.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {OnChange} from "../../state/state.js" */
/** @import {Sample} from "../../types.js" */

/** How many pairs are shown until the user asks for all, or searches. */
const AT_FIRST = 6;
const EXAMPLES = 4;
/** The height of a row, and of a row whose examples have a line of their own, in CSS pixels. */
const ROW = 88;
const TALL_ROW = 168;
/** A narrower table has tall rows. The same number is in `overview.css`. */
const WIDE = 960;

/** @type {{name: string, order?: PairOrder, title?: string}[]} */
const COLUMNS = [
  { name: "Pair", title: "The label and the prediction of an error, otherwise the two most probable classes" },
  { name: "Captures", order: "captures", title: "Captured samples between the two classes; probes do not count" },
  { name: "Wrong", order: "wrong", title: "How many of them are wrong" },
  {
    name: "Distance to flip",
    order: "distance",
    title: "The median size of the smallest change that flips the prediction; smaller is more fragile",
  },
  { name: "Fragile", order: "fragile", title: "Changes that hold in less than 5 of 8 small disturbances" },
  { name: "Examples", title: "Errors first, then those that flip most easily" },
];

/**
 * @typedef {object} TableOptions
 * @property {number} all how many pairs there are without the search
 * @property {PairOrder} order
 * @property {string} search
 * @property {ExamplePanel} examples
 * @property {StepRange} span
 * @property {StepRange} range
 * @property {StepRange} before
 * @property {number} bins
 * @property {(index: number) => string} nameOf
 * @property {string} nothing says why there is no row
 */

/** @typedef {{element: HTMLElement, examples: Example[]}} Row */

export class PairTable {
  #onChange;
  #settings;
  #onRows;
  #list;
  /** @type {PairSummary[]} */
  #pairs = [];
  /** @type {TableOptions | null} */
  #options = null;
  #isWhole = false;
  #isTall = false;
  #heads = COLUMNS.map((column) => this.#head(column));
  #search = element("input", { type: "search", id: "pair-search", placeholder: "class names", ariaLabel: "Search pairs" });
  #count = element("small", { role: "status" });
  #panels = element("div", { className: "kinds", role: "group", ariaLabel: "Beside the originals" });
  #nothing = element("p", { className: "nothing" });
  #more = element("button", { type: "button", className: "more" });
  #table = element("div", { className: "pair-table", role: "table", ariaLabel: "Pairs" });
  element;

  /**
   * @param {HTMLElement} scroller
   * @param {OnChange} onChange
   * @param {() => DisplaySettings} settings
   * @param {() => void} onRows the rows changed
   */
  constructor(scroller, onChange, settings, onRows) {
    this.#onChange = onChange;
    this.#settings = settings;
    this.#onRows = onRows;
    this.#list = new VirtualList(scroller, {
      keyOf: (/** @type {PairSummary} */ { pair }) => pair.code,
      makeRow: (/** @type {PairSummary} */ summary, /** @type {number} */ at) => this.#row(summary, at),
    });
    this.#list.element.role = "rowgroup";
    const head = element("div", { className: "pair-row pair-head", role: "row" }, ...this.#heads);
    this.#table.append(element("div", { role: "rowgroup" }, head), this.#list.element);
    this.#search.addEventListener("input", () => {
      const pairSearch = this.#search.value;
      onChange((state) => ({ ...state, pairSearch }));
    });
    for (const panel of /** @type {ExamplePanel[]} */ (["morph", "change"])) {
      const button = element("button", { type: "button", value: panel }, panel);
      button.addEventListener("click", () => onChange((state) => ({ ...state, examples: panel })));
      this.#panels.append(button);
    }
    this.#more.addEventListener("click", () => {
      this.#isWhole = !this.#isWhole;
      this.#showRows();
    });
    this.element = element(
      "section",
      { className: "pair-section", ariaLabel: "What is mixed up most" },
      element(
        "div",
        { className: "section-head" },
        element("h2", {}, "Mixed up most ", this.#count),
        element("label", { className: "panels-label" }, "Beside the originals"),
        this.#panels,
        this.#search,
      ),
      this.#nothing,
      this.#table,
      this.#more,
    );
  }

  /** The examples of the rows that exist. */
  get examples() {
    return this.#list.rows.flatMap(({ examples }) => examples);
  }

  /**
   * @param {PairSummary[]} pairs
   * @param {TableOptions} options
   */
  show(pairs, options) {
    const before = this.#options;
    const fields = /** @type {const} */ (["examples", "span", "range"]);
    if (before && fields.some((field) => before[field] !== options[field])) this.#list.clear();
    this.#pairs = pairs;
    this.#options = options;
    const { order, search, examples, all, nothing } = options;
    COLUMNS.forEach((column, at) => {
      if (column.order) this.#heads[at].ariaSort = column.order === order ? "descending" : "none";
    });
    const distanceHead = this.#heads[COLUMNS.findIndex((column) => column.order === "distance")];
    if (order === "distance") distanceHead.ariaSort = "ascending";
    if (this.#search !== document.activeElement) this.#search.value = search;
    for (const button of this.#panels.children) {
      button.ariaPressed = String(/** @type {HTMLButtonElement} */ (button).value === examples);
    }
    const found = pairs.length === all ? formatCount(all) : `${formatCount(pairs.length)} of ${formatCount(all)}`;
    const words = all ? `${found} ${all === 1 ? "pair" : "pairs"} of classes` : "";
    if (this.#count.textContent !== words) this.#count.textContent = words;
    this.#nothing.textContent = nothing;
    this.#nothing.hidden = pairs.length > 0;
    this.#table.hidden = !pairs.length;
    this.#table.ariaRowCount = String(pairs.length + 1);
    this.#search.hidden = all < 2;
    this.#showRows();
  }

  #showRows() {
    const { search = "" } = this.#options ?? {};
    const isWhole = this.#isWhole || search !== "";
    this.#more.hidden = this.#pairs.length <= AT_FIRST || search !== "";
    this.#more.textContent = isWhole ? "Show fewer pairs" : `Show all ${formatCount(this.#pairs.length)} pairs`;
    this.#place(isWhole ? this.#pairs : this.#pairs.slice(0, AT_FIRST));
    this.#list.render();
    this.#onRows();
  }

  /** @param {PairSummary[]} pairs */
  #place(pairs) {
    this.#list.show(pairs, equalRows(pairs.length, this.#isTall ? TALL_ROW : ROW));
  }

  /** Makes the rows that came near the screen, and fits them to the width of the page. */
  render() {
    const isTall = this.#table.clientWidth > 0 && this.#table.clientWidth < WIDE;
    if (isTall !== this.#isTall) {
      this.#isTall = isTall;
      this.#table.classList.toggle("tall", isTall);
      this.#place(this.#list.items);
    }
    this.#list.render();
  }

  /** Makes all rows again with the next `show`. */
  clear() {
    this.#list.clear();
    this.#list.render();
  }

  /** @param {Command} command */
  move(command) {
    const position = this.#list.focusedPosition;
    const last = this.#list.items.length - 1;
    const to = { up: position - 1, down: position + 1, first: 0, last }[/** @type {string} */ (command)];
    if (to !== undefined) this.#list.focus(position < 0 ? 0 : to);
  }

  /** @param {{name: string, order?: PairOrder, title?: string}} column */
  #head({ name, order, title = "" }) {
    const cell = element("div", { role: "columnheader", title });
    if (!order) {
      cell.append(name);
      return cell;
    }
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => this.#onChange((state) => ({ ...state, pairOrder: order })));
    cell.append(button);
    return cell;
  }

  /**
   * @param {PairSummary} summary
   * @param {number} position
   * @returns {Row}
   */
  #row(summary, position) {
    const options = /** @type {TableOptions} */ (this.#options);
    const { pair, members, captures, wrong } = summary;
    const isJudged = members.some(({ sample }) => sample.label !== null);
    const { span, range, bins, nameOf, examples: panel } = options;
    const names = [nameOf(pair.one), nameOf(pair.other)];
    const open = () => this.#onChange((state) => withOpenPair(state, [pair.one, pair.other]));
    const link = element("button", { type: "button", className: "pair-name", title: names.join(" ↔ ") });
    link.classList.toggle("long", names.some(({ length }) => length > 4));
    link.append(element("span", {}, names[0]), element("i", { ariaHidden: "true" }, "↔"), element("span", {}, names[1]));
    link.ariaLabel = `${names[0]} and ${names[1]}: open the pair`;
    const trend = trendOf(pair, span, bins);
    const within = { first: binOf(span, bins, range.from), last: binOf(span, bins, range.to) };
    // One captured step is no trend.
    const charts = span.to > span.from ? [
      bars(trend.captures, within, `Captures of ${names.join(" and ")} through the training`),
      sparkline(trend.distances, { label: "The median flip distance through the training" }),
    ] : [];
    const examples = examplesOf(members, EXAMPLES).map((member) => this.#example(member, panel));
    const cell = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...content) =>
      element("div", { className: name, role: "cell" }, ...content);
    const row = element(
      "div",
      { className: "pair-row", role: "row" },
      cell("name", link),
      cell("capture-count", element("strong", {}, formatCount(captures)), ...charts.slice(0, 1)),
      cell(wrong ? "wrong-count some" : "wrong-count", element("strong", {}, isJudged ? formatCount(wrong) : "–")),
      cell("distance", ...this.#distance(summary), ...(summary.distance === null ? [] : charts.slice(1))),
      cell("robust", ...robustness(summary)),
      cell("examples", ...examples.map((example) => example.element)),
    );
    row.ariaRowIndex = String(position + 2);
    row.dataset.pair = `${pair.one}-${pair.other}`;
    row.addEventListener("click", ({ target }) => {
      if (target instanceof Element && !target.closest(".example")) open();
    });
    return { element: row, examples };
  }

  /** @param {PairSummary} summary */
  #distance({ distance, distanceBefore }) {
    if (distance === null) return [element("span", { className: "unknown" }, "no morph")];
    const { before } = /** @type {TableOptions} */ (this.#options);
    const now = element("strong", {}, formatDistance(distance));
    const parts = [now];
    if (distanceBefore !== null) {
      const sign = distance > distanceBefore ? "▲" : distance < distanceBefore ? "▼" : "=";
      const was = element("small", {}, `${sign} was ${formatDistance(distanceBefore)}`);
      was.title = `The median at ${rangeCaption(before)}`;
      parts.push(was);
    }
    return [element("div", { className: "figure-line" }, ...parts)];
  }

  /**
   * @param {Member} member
   * @param {ExamplePanel} panel
   */
  #example({ sample, target, distance, wrong }, panel) {
    const { nameOf } = /** @type {TableOptions} */ (this.#options);
    const said = element("span", { className: "said" }, `${wrong ? "✗ " : ""}${nameOf(sample.classes[0])}`);
    const chance = element("span", { className: "chance" }, formatPercent(sample.probabilities[0]));
    return new Example(sample, target ?? anyTarget(sample), {
      panels: [panel],
      morph: this.#settings().morph,
      distance,
      caption: [element("span", { className: "example-caption" }, said, " ", chance)],
    });
  }
}

/**
 * A target with a morph, for an error whose label was not a target.
 * @param {Sample} sample
 */
function anyTarget({ targets }) {
  return targets.find(({ morphs, direction }) => morphs.length && direction > 0) ?? null;
}

/** @param {PairSummary} summary */
function robustness({ fragile, confirmed }) {
  /** @param {Share} share @param {string} words @param {string} title */
  const line = ({ count, of }, words, title) =>
    element(
      "span",
      { title: `${formatCount(count)} of ${formatCount(of)} ${title}` },
      element("strong", {}, formatPercent(count / of)),
      ` ${words}`,
    );
  const lines = [];
  if (fragile.of) lines.push(line(fragile, "fragile", "changes hold in less than 5 of 8 small disturbances"));
  if (confirmed.of) lines.push(line(confirmed, "judges agree", "changes also convince all judges"));
  return lines.length ? lines : [element("span", { className: "unknown" }, "–")];
}
