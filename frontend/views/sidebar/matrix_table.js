/** The confusion matrix as a table. */

import { formatCount, formatCounted } from "../../samples/captions.js";
import { element } from "../common/dom.js";

/** @import {Axes, ConfusionMatrix} from "../../samples/confusion_matrix.js" */

/** With more classes, a cell has no space for its count. */
const MOST_WITH_COUNTS = 10;
/** Longer class names, in letters, are written vertically above their columns. */
const SHORT = 2;
/** The share of colour of a cell with one sample, so that it differs from an empty cell. */
const FAINTEST = 0.15;

/** @type {Record<Axes, {title: string, rows: string, columns: string}>} */
export const AXES = {
  labels: { title: "label and prediction", rows: "label", columns: "prediction" },
  guesses: { title: "most probable classes", rows: "most probable", columns: "second most probable" },
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
   * @returns {boolean} whether the cells were built again
   */
  show(matrix, nameOf) {
    const names = JSON.stringify([matrix.axes, matrix.classes, matrix.classes.map(nameOf)]);
    const isNew = names !== this.#names;
    if (isNew) this.#build(matrix, nameOf);
    if (isNew || matrix !== this.#matrix) this.#fill(matrix, nameOf);
    this.#names = names;
    this.#matrix = matrix;
    return isNew;
  }

  /**
   * @param {ConfusionMatrix} matrix
   * @param {(index: number) => string} nameOf
   */
  #build({ classes }, nameOf) {
    this.element.style.setProperty("--classes", String(classes.length));
    this.element.classList.toggle("counted", classes.length <= MOST_WITH_COUNTS);
    this.element.classList.toggle(
      "short",
      classes.every((index) => nameOf(index).length <= SHORT),
    );
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
    this.cells.forEach((cell, position) => {
      const count = counts[position];
      const { row, column } = classesOf(cell);
      // Correct predictions are so many that all other cells would be pale.
      const colour = count && row !== column ? FAINTEST + (1 - FAINTEST) * (count / largest) : 0;
      cell.style.setProperty("--share", `${100 * colour}%`);
      cell.textContent = count && classes.length <= MOST_WITH_COUNTS ? formatCount(count) : "";
      const { rows, columns } = AXES[axes];
      cell.title = `${rows} ${nameOf(row)}, ${columns} ${nameOf(column)}: ${formatCounted(count, "sample")}`;
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
