/** The confusion matrix: a picture of which classes are mixed up, whose cells are filters. */

import { countOf } from "../captions.js";
import { cellFilters, chosenCell, noCellFilters } from "../confusion_matrix.js";
import { axesInUse, filtersInUse, hasLabels, matrixInUse, namesOf, withFilters } from "../state.js";
import { element } from "./dom.js";
import { select } from "./fields.js";

/** @import {Axes, ConfusionMatrix} from "../confusion_matrix.js" */
/** @import {OnChange, State} from "../state.js" */

/** Of more classes a cell has no room for its count. */
const MOST_WITH_COUNTS = 10;
/** Longer names are written upwards over their columns. */
const SHORT = 2;
/** The share of the largest count from which on a cell's ground is nearer to the other end. */
const STRONG = 0.6;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @type {Record<Axes, {title: string, rows: string, columns: string}>} */
const WORDS = {
  labels: { title: "label and prediction", rows: "it is a", columns: "the network says" },
  guesses: { title: "first and second guess", rows: "it says", columns: "it nearly says" },
};

export class MatrixView {
  #axes;
  #rows = element("span", {});
  #columns = element("span", {});
  #table = element("table", { role: "grid" });
  #note = element("p", {});
  /** @type {ConfusionMatrix | null} */
  #matrix = null;
  #names = "";
  /** The cell that Tab goes to. */
  #reached = [0, 0];

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#axes = select(
      "matrix-axes",
      (axes) => onChange((state) => ({ ...state, chosenAxes: /** @type {Axes} */ (axes) })),
      Object.entries(WORDS).map(([axes, { title }]) => [axes, title]),
    );
    this.#axes.ariaLabel = "What the matrix counts";
    this.#table.ariaLabel = "Confusion matrix";
    this.#table.addEventListener("click", ({ target }) => this.#choose(cellOf(target)));
    this.#table.addEventListener("keydown", (event) => this.#onKey(event));
    this.element = element(
      "details",
      { className: "matrix", open: true },
      element("summary", { className: "name" }, "Confusion matrix"),
      this.#axes,
      element("p", { className: "axes" }, "↓ ", this.#rows, ", → ", this.#columns),
      this.#table,
      this.#note,
    );
  }

  /** @param {State} state */
  show(state) {
    const axes = axesInUse(state);
    const matrix = matrixInUse(state);
    const nameOf = namesOf(state);
    this.#axes.value = axes;
    this.#axes.hidden = !hasLabels(state);
    this.#rows.textContent = WORDS[axes].rows;
    this.#columns.textContent = WORDS[axes].columns;
    const names = JSON.stringify([axes, matrix.classes, matrix.classes.map(nameOf)]);
    if (names !== this.#names) this.#build(matrix, nameOf);
    if (names !== this.#names || matrix !== this.#matrix) this.#fill(matrix, nameOf);
    this.#names = names;
    this.#matrix = matrix;
    const { classes, allClasses } = matrix;
    const words = ["the stronger the colour, the more samples"];
    if (axes === "labels") words.push("framed: right");
    if (allClasses > classes.length) {
      words.push(`only the ${classes.length} of ${countOf(allClasses)} classes that are mixed up most`);
    }
    this.#note.textContent = words.join("; ");
    const chosen = chosenCell(axes, filtersInUse(state));
    for (const cell of this.#cells()) {
      const { row, column } = classesOf(cell);
      cell.ariaSelected = String(chosen?.row === row && chosen.column === column);
    }
  }

  /**
   * @param {ConfusionMatrix} matrix
   * @param {(index: number) => string} nameOf
   */
  #build({ classes }, nameOf) {
    const focused = this.#table.contains(document.activeElement);
    this.#table.classList.toggle("counted", classes.length <= MOST_WITH_COUNTS);
    const short = classes.every((index) => nameOf(index).length <= SHORT);
    this.#table.classList.toggle("short", short);
    const head = element("tr", {}, element("td"), ...classes.map((index) => heading("col", nameOf(index))));
    const rows = classes.map((row) => {
      const cells = classes.map((column) => {
        const cell = element("td", { role: "gridcell", tabIndex: -1 });
        cell.dataset.row = String(row);
        cell.dataset.column = String(column);
        cell.classList.toggle("diagonal", row === column);
        return cell;
      });
      return element("tr", {}, heading("row", nameOf(row)), ...cells);
    });
    this.#table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
    this.#reach(0, 0);
    if (focused) this.#cells()[0]?.focus();
  }

  /**
   * @param {ConfusionMatrix} matrix
   * @param {(index: number) => string} nameOf
   */
  #fill({ axes, classes, counts, largest }, nameOf) {
    this.#cells().forEach((cell, place) => {
      const count = counts[place];
      const { row, column } = classesOf(cell);
      // Right answers, probes most of all, would leave no colour for the others.
      const share = largest && row !== column ? count / largest : 0;
      cell.style.setProperty("--share", `${100 * share}%`);
      cell.classList.toggle("strong", share > STRONG);
      cell.textContent = count && classes.length <= MOST_WITH_COUNTS ? countOf(count) : "";
      const { rows, columns } = WORDS[axes];
      const samples = `${countOf(count)} ${count === 1 ? "sample" : "samples"}`;
      cell.title = `${rows} ${nameOf(row)}, ${columns} ${nameOf(column)}: ${samples}`;
      cell.ariaLabel = cell.title;
    });
  }

  #cells() {
    return /** @type {HTMLTableCellElement[]} */ ([...this.#table.querySelectorAll("[role=gridcell]")]);
  }

  /** @param {HTMLTableCellElement | null} cell */
  #choose(cell) {
    if (!cell) return;
    const { row, column } = classesOf(cell);
    this.onChange((state) => {
      const axes = axesInUse(state);
      const chosen = chosenCell(axes, filtersInUse(state));
      const again = chosen?.row === row && chosen.column === column;
      return withFilters(state, again ? noCellFilters(axes) : cellFilters(axes, row, column));
    });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const [row, column] = this.#reached;
    if (event.key === "Enter" || event.key === " ") this.#choose(cellOf(event.target));
    else if (event.key in ARROWS) this.#reach(row + ARROWS[event.key][0], column + ARROWS[event.key][1], true);
    else if (event.key === "Home") this.#reach(row, 0, true);
    else if (event.key === "End") this.#reach(row, Infinity, true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {boolean} [focus]
   */
  #reach(row, column, focus = false) {
    const cells = this.#cells();
    const size = Math.sqrt(cells.length);
    const within = (/** @type {number} */ place) => Math.max(0, Math.min(place, size - 1));
    this.#reached = [within(row), within(column)];
    const reached = cells[this.#reached[0] * size + this.#reached[1]];
    for (const cell of cells) cell.tabIndex = cell === reached ? 0 : -1;
    if (focus) reached?.focus();
  }
}

/**
 * @param {"row" | "col"} scope
 * @param {string} name
 */
function heading(scope, name) {
  return element("th", { scope, title: name }, element("span", {}, name));
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLTableCellElement | null}
 */
function cellOf(target) {
  return target instanceof Element ? target.closest("[role=gridcell]") : null;
}

/** @param {HTMLTableCellElement} cell */
function classesOf({ dataset }) {
  return { row: Number(dataset.row), column: Number(dataset.column) };
}
