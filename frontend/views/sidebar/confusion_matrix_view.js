/** The confusion matrix of the shown samples. A click on a cell filters by it. */

import { formatCount } from "../../samples/captions.js";
import { cellFilters, chosenCell, noCellFilters } from "../../samples/confusion_matrix.js";
import { axesInUse, filtersInUse, hasLabels, matrixInUse, namesOf } from "../../state/selectors.js";
import { withFilters } from "../../state/transitions.js";
import { element } from "../common/dom.js";
import { select } from "../common/form_fields.js";
import { AXES, MatrixTable, classesOf } from "./matrix_table.js";

/** @import {Axes} from "../../samples/confusion_matrix.js" */
/** @import {OnChange, State} from "../../state/state.js" */

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class ConfusionMatrixView {
  #axes;
  #rows = element("span", {});
  #columns = element("span", {});
  #table = new MatrixTable();
  #note = element("p", {});
  /** The cell that Tab goes to. */
  #reached = [0, 0];

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#axes = select(
      "matrix-axes",
      (axes) => onChange((state) => ({ ...state, chosenAxes: /** @type {Axes} */ (axes) })),
      Object.entries(AXES).map(([axes, { title }]) => [axes, title]),
    );
    this.#axes.ariaLabel = "What the matrix counts";
    const table = this.#table.element;
    table.role = "grid";
    table.addEventListener("click", ({ target }) => this.#choose(cellOf(target)));
    table.addEventListener("keydown", (event) => this.#onKey(event));
    this.element = element(
      "details",
      { className: "matrix", open: true },
      element("summary", { className: "name" }, "Confusion matrix"),
      this.#axes,
      element("p", { className: "axes" }, "↓ ", this.#rows, ", → ", this.#columns),
      table,
      this.#note,
    );
  }

  /** @param {State} state */
  show(state) {
    const axes = axesInUse(state);
    const matrix = matrixInUse(state);
    this.#axes.value = axes;
    this.#axes.hidden = !hasLabels(state);
    this.#rows.textContent = AXES[axes].rows;
    this.#columns.textContent = AXES[axes].columns;
    const focused = this.#table.element.contains(document.activeElement);
    if (this.#table.show(matrix, namesOf(state))) this.#reach(0, 0, focused);
    const { classes, allClasses } = matrix;
    const words = ["Counts the shown samples, each id once. A stronger colour means more."];
    if (axes === "labels") words.push("Framed cells are correct.");
    if (allClasses > classes.length) {
      words.push(
        `Only the ${classes.length} of ${formatCount(allClasses)} classes with the most confusions are shown.`,
      );
    }
    this.#note.textContent = words.join(" ");
    const chosen = chosenCell(axes, filtersInUse(state));
    for (const cell of this.#table.cells) {
      const { row, column } = classesOf(cell);
      cell.ariaSelected = String(chosen?.row === row && chosen.column === column);
    }
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
    const { cells } = this.#table;
    const size = Math.sqrt(cells.length);
    const within = (/** @type {number} */ position) => Math.max(0, Math.min(position, size - 1));
    this.#reached = [within(row), within(column)];
    const reached = cells[this.#reached[0] * size + this.#reached[1]];
    for (const cell of cells) cell.tabIndex = cell === reached ? 0 : -1;
    if (focus) reached?.focus();
  }
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLTableCellElement | null}
 */
function cellOf(target) {
  return target instanceof Element ? target.closest("[role=gridcell]") : null;
}
