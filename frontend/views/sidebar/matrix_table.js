/** The confusion matrix as a table: a picture of which classes are mixed up. */

import { countOf } from "../../samples/captions.js";
import { element } from "../common/dom.js";

/** @import {Axes, ConfusionMatrix} from "../../samples/confusion_matrix.js" */

/** Of more classes a cell has no room for its count. */
const MOST_WITH_COUNTS = 10;
/** Longer names are written upwards over their columns. */
const SHORT = 2;
/** How much colour one sample has at the least, so that it differs from none. */
const FAINTEST = 0.15;

/** @type {Record<Axes, {title: string, rows: string, columns: string}>} */
export const AXES = {
  labels: { title: "label and prediction", rows: "it is a", columns: "the network says" },
  guesses: { title: "first and second guess", rows: "it says", columns: "it nearly says" },
};

export class MatrixTable {
  element = element("table", { ariaLabel: "Confusion matrix" });
  /** @type {HTMLTableCellElement[]} row by row */
  cells = [];
  /** @type {ConfusionMatrix | null} */
  #matrix = null;
  #names = "";

  /**
   * @param {ConfusionMatrix} matrix
   * @param {(index: number) => string} nameOf
   * @returns {boolean} whether its cells are others than before
   */
  show(matrix, nameOf) {
    const names = JSON.stringify([matrix.axes, matrix.classes, matrix.classes.map(nameOf)]);
    const anew = names !== this.#names;
    if (anew) this.#build(matrix, nameOf);
    if (anew || matrix !== this.#matrix) this.#fill(matrix, nameOf);
    this.#names = names;
    this.#matrix = matrix;
    return anew;
  }

  /**
   * @param {ConfusionMatrix} matrix
   * @param {(index: number) => string} nameOf
   */
  #build({ classes }, nameOf) {
    this.element.classList.toggle("counted", classes.length <= MOST_WITH_COUNTS);
    this.element.classList.toggle("short", classes.every((index) => nameOf(index).length <= SHORT));
    const head = element("tr", {}, element("td"), ...classes.map((index) => heading("col", nameOf(index))));
    this.cells = [];
    const rows = classes.map((row) => {
      const cells = classes.map((column) => {
        const cell = element("td", { role: "gridcell", tabIndex: -1 });
        cell.dataset.row = String(row);
        cell.dataset.column = String(column);
        cell.classList.toggle("diagonal", row === column);
        return cell;
      });
      this.cells.push(...cells);
      return element("tr", {}, heading("row", nameOf(row)), ...cells);
    });
    this.element.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
  }

  /**
   * @param {ConfusionMatrix} matrix
   * @param {(index: number) => string} nameOf
   */
  #fill({ axes, classes, counts, largest }, nameOf) {
    this.cells.forEach((cell, place) => {
      const count = counts[place];
      const { row, column } = classesOf(cell);
      // Right answers, probes most of all, would leave no colour for the others.
      const colour = count && row !== column ? FAINTEST + (1 - FAINTEST) * (count / largest) : 0;
      cell.style.setProperty("--share", `${100 * colour}%`);
      cell.textContent = count && classes.length <= MOST_WITH_COUNTS ? countOf(count) : "";
      const { rows, columns } = AXES[axes];
      const samples = `${countOf(count)} ${count === 1 ? "sample" : "samples"}`;
      cell.title = `${rows} ${nameOf(row)}, ${columns} ${nameOf(column)}: ${samples}`;
      cell.ariaLabel = cell.title;
    });
  }
}

/**
 * @param {"row" | "col"} scope
 * @param {string} name
 */
function heading(scope, name) {
  return element("th", { scope, title: name }, element("span", {}, name));
}

/** @param {HTMLTableCellElement} cell */
export function classesOf({ dataset }) {
  return { row: Number(dataset.row), column: Number(dataset.column) };
}
