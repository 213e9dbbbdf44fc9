/** The response curve on a card: probabilities along the morph. It is also a slider for this sample alone. */

import { formatDecimals, formatStrength } from "../../samples/captions.js";
import { INSET, LABEL_EDGE, xOf, yOf, labelWidth, linesOf, strengthAt } from "../../layout/response_plot.js";
import { flipOf } from "../../samples/verdict.js";
import { element, svgElement } from "../common/dom.js";
import { cutIfWide, textWidth } from "../common/text_width.js";

/** @import {Plot} from "../../layout/response_plot.js" */
/** @import {Morph, Sample, Target} from "../../types.js" */

const STEP = 0.01;
/** @type {Record<string, number>} */
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
const STEPS_OF_KEYS = 0.05;

export class ResponseCurve {
  #now;
  #strength = 0;
  /** @type {Plot} */
  #plot;

  /**
   * @param {Sample} sample
   * @param {Target} target
   * @param {Morph} morph of the target
   * @param {{width: number, height: number, largestStrength: number}} size
   * @param {(strength: number) => void} onStrength
   */
  constructor(sample, target, morph, size, onStrength) {
    this.onStrength = onStrength;
    const plot = { ...size, labelWidth: labelWidth(sample, size.width, textWidth) };
    this.#plot = plot;
    // The marker is outside the SVG. Inside, each move would cost a layout of the whole drawing.
    this.#now = element("div", { className: "now" });
    const lines = linesOf(sample, target, morph, plot);
    this.element = element(
      "div",
      {
        className: "curve",
        role: "slider",
        ariaLabel: `Strength of this sample, target ${lines[0]?.name ?? "unknown"}`,
      },
      this.#drawing(sample, morph, lines),
      ...lines.map(({ kind, name, label }) => {
        const node = element("span", { className: `label ${kind}`, title: name, ariaHidden: "true" }, name);
        node.style.top = `${label}px`;
        cutIfWide(node, plot.labelWidth - LABEL_EDGE);
        return node;
      }),
      this.#now,
    );
    this.element.title =
      "The probability of the target (solid) and of the class predicted for the original (dashed) along the morph. " +
      "The dot is the flip. Drag to change the strength of this sample only.";
    this.element.ariaValueMin = "0";
    this.element.ariaValueMax = String(plot.largestStrength);
    this.element.style.setProperty("--plot", `${plot.height}px`);
    this.element.style.setProperty("--label", `${plot.labelWidth}px`);
    this.#listen();
  }

  /**
   * @param {Sample} sample
   * @param {Morph} morph
   * @param {ReturnType<typeof linesOf>} lines
   */
  #drawing(sample, morph, lines) {
    const { width, height, labelWidth } = this.#plot;
    const node = svgElement("svg", { width: width - labelWidth, height, "aria-hidden": "true" });
    // The line of the target comes last, so that it is on top.
    for (const { kind, points } of lines.toReversed()) {
      node.append(svgElement("polyline", { class: kind, points: points.map((point) => point.join()).join(" ") }));
    }
    const flip = flipOf(morph, sample.strengths);
    const probability = flip === null ? NaN : morph.probabilities[sample.strengths.indexOf(flip)];
    if (flip !== null && Number.isFinite(probability)) {
      const [x, y] = [xOf(this.#plot, flip), yOf(this.#plot, probability)];
      node.append(svgElement("line", { class: "flip-line", x1: x, x2: x, y1: y, y2: height }));
      node.append(svgElement("circle", { class: "dot", cx: x, cy: y, r: INSET - 0.5 }));
    }
    return node;
  }

  #listen() {
    const { element: node } = this;
    const toPointer = (/** @type {PointerEvent} */ { clientX }) =>
      this.onStrength(strengthAt(this.#plot, clientX - node.getBoundingClientRect().left, STEP));
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      node.setPointerCapture(event.pointerId);
      toPointer(event);
    });
    node.addEventListener("pointermove", (event) => {
      if (node.hasPointerCapture(event.pointerId)) toPointer(event);
    });
    node.addEventListener("keydown", (event) => {
      const { largestStrength } = this.#plot;
      const steps = KEYS[event.key];
      const end = event.key === "Home" ? 0 : event.key === "End" ? largestStrength : null;
      if (event.ctrlKey || event.metaKey || event.altKey || (!steps && end === null)) return;
      event.preventDefault();
      event.stopPropagation();
      const next = end ?? Number((this.#strength + steps * STEPS_OF_KEYS).toFixed(6));
      this.onStrength(Math.min(Math.max(next, 0), largestStrength));
    });
  }

  /**
   * @param {number} strength
   * @param {string} verdict its caption
   */
  showStrength(strength, verdict) {
    this.#strength = strength;
    this.#now.style.left = `${xOf(this.#plot, strength)}px`;
    this.element.ariaValueNow = formatDecimals(strength);
    this.element.ariaValueText = `${formatStrength(strength)}: the network predicts ${verdict}`;
  }
}
