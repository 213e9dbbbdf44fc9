/** One frame of a filmstrip: a sample at one step of the training. */

import { WRONG_MARK, classCaption, className, formatCount, formatDecimals, formatPrecise, formatSigned, isWrong } from "../../samples/captions.js";
import { CHART_HEIGHT, HEAD_WIDTH, FRAME_WIDTH, lineTo } from "../../layout/filmstrip_layout.js";
import { strengthOf } from "../../state/selectors.js";
import { element, svgElement } from "../common/dom.js";
import { paintThumbnail, thumbnail } from "../common/panel_canvas.js";

/**
 * What the lines above the frames show of one history.
 * @typedef {object} Lines
 * @property {number[]} columns the column of each capture on the shared axis
 * @property {number[]} margins the signed margin of each capture
 * @property {(number | null)[]} distances the flip distance of each capture
 * @property {number} farthest the largest of them
 */

/** @import {Picture, Sample} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {PanelContent} from "../common/panel_canvas.js" */

export class FilmstripFrame {
  #canvas = thumbnail();
  /** Why there is no picture. */
  #problem = element("span", { className: "frame-problem", hidden: true });
  /** @type {Picture | null} */
  #picture = null;
  #isBlinking = false;
  element;

  /**
   * @param {Sample[]} samples the history
   * @param {number} at the position of the frame in the history
   * @param {PanelContent} content
   * @param {Lines} lines
   */
  constructor(samples, at, content, lines) {
    const sample = samples[at];
    this.sample = sample;
    this.content = content;
    const { session, classes, probabilities, targets } = sample;
    const nameOf = (/** @type {number} */ index) => className(session.class_names, index);
    const prediction = classes.length ? classCaption(nameOf(classes[0]), probabilities[0]) : "no prediction";
    const wrong = isWrong(sample);
    const said = wrong ? `${prediction}, wrong` : prediction;
    const what =
      content.kind === "original" ? "original" : `${content.kind} → ${nameOf(targets[content.position].index)}`;
    this.element = element(
      "button",
      {
        type: "button",
        className: "frame",
        tabIndex: -1,
        title: what,
        ariaLabel: `step ${sample.step}: prediction ${said}, signed margin ${formatSigned(lines.margins[at])}; ${what}`,
      },
      this.#chart(lines, at),
      this.#canvas,
      element("span", { className: "frame-step" }, `step ${formatCount(sample.step)}`),
      element("span", { className: wrong ? "wrong" : "" }, wrong ? prediction + WRONG_MARK : prediction),
      this.#problem,
    );
    this.element.dataset.sample = sample.key;
    this.element.dataset.part = what;
    Object.assign(this.element.style, { left: `${HEAD_WIDTH + lines.columns[at] * FRAME_WIDTH}px`, width: `${FRAME_WIDTH}px` });
  }

  /**
   * @param {Lines} lines
   * @param {number} at
   */
  #chart({ columns, margins, distances, farthest }, at) {
    const within = (/** @type {number} */ share) => 4 + (1 - Math.min(Math.max(share, 0), 1)) * (CHART_HEIGHT - 8);
    const ofMargin = (/** @type {number} */ margin) => within((margin + 1) / 2);
    const ofDistance = (/** @type {number} */ distance) => within(distance / (farthest || 1));
    const draw = (/** @type {[number, number][]} */ line, /** @type {(value: number) => number} */ height, kind = "") =>
      svgElement("polyline", { class: kind, points: line.map(([x, value]) => `${x},${height(value)}`).join(" ") });
    const margin = lineTo(columns, margins, at);
    const distance = lineTo(columns, distances, at);
    const chart = svgElement("svg", { width: FRAME_WIDTH, height: CHART_HEIGHT, "aria-hidden": "true" });
    const middle = ofMargin(0);
    chart.append(
      svgElement("line", { class: "rule", x1: 0, x2: FRAME_WIDTH, y1: middle, y2: middle }),
      draw(distance, ofDistance, "distance"),
      draw(margin, ofMargin),
    );
    if (margin.length) {
      const y = ofMargin(margins[at]);
      chart.append(svgElement("circle", { class: isWrong(this.sample) ? "wrong" : "", cx: FRAME_WIDTH / 2, cy: y, r: 3 }));
    }
    const far = distances[at];
    const words = [`signed margin ${formatSigned(margins[at])}`, `flip distance ${far === null ? "unknown" : formatPrecise(far)}`];
    chart.append(svgElement("title", {}, document.createTextNode(words.join(", "))));
    return chart;
  }

  /**
   * @param {Picture} picture
   * @param {DisplaySettings} settings
   */
  showPicture(picture, settings) {
    this.#picture = picture;
    this.#problem.hidden = true;
    this.element.title = this.element.dataset.part ?? "";
    this.showSettings(settings);
  }

  /** @param {DisplaySettings} settings */
  showSettings(settings) {
    if (!this.#picture) return;
    const { sample, content } = this;
    const target = content.kind === "original" ? undefined : sample.targets[content.position];
    const strength = strengthOf(settings, sample, target);
    /** @type {PanelContent} */
    const shown = this.#isBlinking ? { kind: "original" } : content;
    paintThumbnail(this.#canvas, this.#picture, shown, { ...settings, strength });
    this.element.dataset.painted = formatDecimals(strength);
  }

  /**
   * Shows the original in place of a morph, or the morph again.
   * @param {boolean} on
   * @param {DisplaySettings} settings
   */
  blink(on, settings) {
    if (this.#isBlinking === on || this.content.kind !== "morph") return;
    this.#isBlinking = on;
    this.showSettings(settings);
  }

  /** @param {string} problem */
  showProblem(problem) {
    if (this.#picture) return;
    this.#problem.textContent = problem;
    this.#problem.hidden = false;
    this.element.title = problem;
  }

  get isPainted() {
    return this.#picture !== null;
  }
}
