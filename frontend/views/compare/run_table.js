/** Several runs on the same samples: a row for each sample, a column for each run. A click opens a sample. */

import { WRONG_MARK, classCaption, className, formatCounted, formatSigned, isWrong, labelCaption } from "../../samples/captions.js";
import { sharedStart } from "../../samples/run_names.js";
import { signedMargin } from "../../samples/signed_margin.js";
import { element } from "../common/dom.js";
import { runName } from "../common/run_name.js";

/** @import {RunRow} from "../../samples/comparison.js" */
/** @import {Sample} from "../../types.js" */

/** More rows would take long to lay out. The rows with the largest differences come first. */
const MOST_ROWS = 200;

export class RunTable {
  #table = element("table");
  #more = element("p", { className: "left-out" });
  element = element(
    "div",
    { className: "run-table", hidden: true, tabIndex: 0, role: "region", ariaLabel: "Samples in several runs" },
    this.#table,
    this.#more,
  );

  /** @param {(sample: Sample) => void} onOpen */
  constructor(onOpen) {
    this.onOpen = onOpen;
  }

  /**
   * @param {RunRow[]} rows
   * @param {string[]} runs
   * @param {(run: string) => string} colourOf
   */
  show(rows, runs, colourOf) {
    this.element.hidden = !rows.length;
    const start = sharedStart(runs);
    const heads = runs.map((run) => {
      const dot = element("span", { className: "run-colour" });
      dot.style.background = colourOf(run);
      return element("th", { scope: "col" }, dot, runName(run, start));
    });
    this.#table.replaceChildren(
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "sample"), element("td"), ...heads)),
      element("tbody", {}, ...rows.slice(0, MOST_ROWS).map((row) => this.#row(row))),
    );
    const left = rows.length - MOST_ROWS;
    this.#more.hidden = left <= 0;
    this.#more.textContent = `${formatCounted(left, "more sample")} with smaller differences.`;
  }

  /** @param {RunRow} row */
  #row({ id, samples }) {
    const any = samples.find((sample) => sample !== null);
    const label = any ? labelCaption(any) : "";
    return element(
      "tr",
      {},
      element("th", { scope: "row", title: id }, id),
      element("td", { className: "of-label" }, label),
      ...samples.map((sample) => element("td", {}, sample ? this.#cell(sample) : "–")),
    );
  }

  /** @param {Sample} sample */
  #cell(sample) {
    const { classes, probabilities, session, step } = sample;
    const said = classes.length ? classCaption(className(session.class_names, classes[0]), probabilities[0]) : "no prediction";
    const wrong = isWrong(sample);
    const title = `step ${step}, signed margin ${formatSigned(signedMargin(sample))}`;
    const button = element("button", { type: "button", className: wrong ? "wrong" : "", title }, said + (wrong ? WRONG_MARK : ""));
    button.dataset.sample = sample.key;
    button.addEventListener("click", () => this.onOpen(sample));
    return button;
  }
}
