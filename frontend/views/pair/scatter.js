/** The flip distances of a pair over the steps, with a brush that chooses a range of steps. */

import { PLOT, scatterPlot } from "../../layout/scatter_plot.js";
import { formatCount, formatDistance } from "../../samples/captions.js";
import { element, setBox, svgElement } from "../common/dom.js";
import { StepBrush } from "../common/step_brush.js";

/** @import {Member} from "../../samples/pairs.js" */
/** @import {Range} from "../../samples/filters.js" */
/** @import {StepRange} from "../../samples/step_ranges.js" */

/** Of more samples only every second, third, and so on is drawn. */
const MOST_POINTS = 2_000;
const RADIUS = 3.5;

export class Scatter {
  #chart = svgElement("svg", { class: "scatter", role: "img" });
  #brush;
  #note = element("p", { className: "scatter-note" });
  element;

  /** @param {(range: Range | null) => void} onRange */
  constructor(onRange) {
    this.#brush = new StepBrush("Steps of the pair", onRange);
    this.element = element("div", { className: "scatter-box" });
    this.element.append(this.#chart, this.#brush.element, this.#note);
  }

  /**
   * @param {Member[]} members at all steps
   * @param {object} options
   * @param {number} options.low the class whose predictions are drawn in the first colour
   * @param {number[]} options.steps the recorded steps
   * @param {StepRange} options.range
   * @param {number} options.width in CSS pixels
   */
  show(members, { low, steps, range, width }) {
    const known = members.filter(({ distance }) => distance !== null);
    const every = Math.ceil(known.length / MOST_POINTS);
    const drawn = known.filter((_, at) => at % every === 0);
    const distances = drawn.map(({ distance }) => /** @type {number} */ (distance));
    const span = { from: steps[0], to: steps[steps.length - 1] };
    const { x, y, ticks } = scatterPlot(distances, span, width);
    this.#chart.setAttribute("width", String(width));
    this.#chart.setAttribute("height", String(PLOT.height));
    const right = width - PLOT.right;
    const text = (/** @type {string} */ words, /** @type {number} */ left, /** @type {number} */ top, anchor = "end") =>
      svgElement("text", { x: left, y: top, "text-anchor": anchor }, document.createTextNode(words));
    const line = (/** @type {number} */ height, /** @type {string} */ name) =>
      svgElement("line", { class: name, x1: PLOT.left, x2: right, y1: height, y2: height });
    this.#chart.replaceChildren(
      line(y(Infinity), "rule never"),
      text("never", PLOT.left - 6, y(Infinity) + 4),
      ...ticks.flatMap((tick) => [line(y(tick), "rule"), text(formatDistance(tick), PLOT.left - 6, y(tick) + 4)]),
      text(`step ${formatCount(span.from)}`, PLOT.left, PLOT.height - 4, "start"),
      ...(span.to > span.from ? [text(formatCount(span.to), right, PLOT.height - 4)] : []),
      ...drawn.map((member, at) => point(member, x(member.sample.step), y(distances[at]), low)),
    );
    this.#chart.setAttribute("aria-label", `Flip distances of ${formatCount(known.length)} samples over the steps`);
    this.#note.textContent = every > 1 ? `Drawn: every ${every}. of ${formatCount(known.length)} samples.` : "";
    this.#note.hidden = every <= 1;
    setBox(this.#brush.element, { left: PLOT.left, width: Math.max(right - PLOT.left, 0), top: 0 });
    this.#brush.element.style.bottom = "auto";
    this.#brush.element.style.height = `${PLOT.height - PLOT.bottom}px`;
    this.#brush.element.hidden = steps.length < 2;
    this.#brush.show(steps, range);
  }
}

/**
 * A dot; a cross for a wrong prediction.
 * @param {Member} member
 * @param {number} x
 * @param {number} y
 * @param {number} low
 */
function point({ sample, wrong }, x, y, low) {
  const side = sample.classes[0] === low ? "first" : "second";
  if (!wrong) return svgElement("circle", { class: side, cx: x, cy: y, r: RADIUS });
  const path = `M${x - RADIUS} ${y - RADIUS}l${2 * RADIUS} ${2 * RADIUS}m0 ${-2 * RADIUS}l${-2 * RADIUS} ${2 * RADIUS}`;
  return svgElement("path", { class: `${side} cross`, d: path });
}
