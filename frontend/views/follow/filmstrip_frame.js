/** One frame of a filmstrip: a sample at one step of the training. */

import { WRONG_MARK, classCaption, className, formatDecimals, isWrong } from "../../samples/captions.js";
import { CHART_HEIGHT, HEAD_WIDTH, FRAME_WIDTH, marginLine } from "../../layout/filmstrip_layout.js";
import { strengthOf } from "../../state/selectors.js";
import { element, svgElement } from "../common/dom.js";
import { paintThumbnail, thumbnail } from "../common/panel_canvas.js";

/** @import {Picture, Sample} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {PanelContent} from "../common/panel_canvas.js" */

export class FilmstripFrame {
  #canvas = thumbnail();
  #what = element("span", { className: "frame-step" });
  /** @type {Picture | null} */
  #picture = null;
  #isBlinking = false;
  element;

  /**
   * @param {Sample[]} samples the history
   * @param {number} at the position of the frame in the history
   * @param {PanelContent} content
   */
  constructor(samples, at, content) {
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
    this.#what.textContent = what;
    this.element = element(
      "button",
      {
        type: "button",
        className: "frame",
        tabIndex: -1,
        title: what,
        ariaLabel: `step ${sample.step}: prediction ${said}, margin ${formatDecimals(sample.margin)}; ${what}`,
      },
      this.#chart(samples, at),
      this.#canvas,
      element("span", { className: "frame-step" }, `step ${sample.step.toLocaleString("en")}`),
      element("span", { className: wrong ? "wrong" : "" }, wrong ? prediction + WRONG_MARK : prediction),
      this.#what,
    );
    this.element.dataset.sample = sample.key;
    this.element.dataset.part = what;
    Object.assign(this.element.style, { left: `${HEAD_WIDTH + at * FRAME_WIDTH}px`, width: `${FRAME_WIDTH}px` });
  }

  /**
   * @param {Sample[]} samples
   * @param {number} at
   */
  #chart(samples, at) {
    const height = (/** @type {number} */ margin) => 4 + (1 - Math.min(Math.max(margin, 0), 1)) * (CHART_HEIGHT - 8);
    const line = marginLine(samples, at);
    const { margin } = samples[at];
    const chart = svgElement("svg", { width: FRAME_WIDTH, height: CHART_HEIGHT, "aria-hidden": "true" });
    for (const rule of [0, 1]) {
      chart.append(svgElement("line", { class: "rule", x1: 0, x2: FRAME_WIDTH, y1: height(rule), y2: height(rule) }));
    }
    chart.append(svgElement("polyline", { points: line.map(([x, value]) => `${x},${height(value)}`).join(" ") }));
    if (line.length) chart.append(svgElement("circle", { cx: FRAME_WIDTH / 2, cy: height(margin), r: 3 }));
    chart.append(svgElement("title", {}, document.createTextNode(`margin ${formatDecimals(margin)}`)));
    return chart;
  }

  /**
   * @param {Picture} picture
   * @param {DisplaySettings} settings
   */
  showPicture(picture, settings) {
    this.#picture = picture;
    this.#setCaption(this.element.dataset.part ?? "");
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
    if (!this.#picture) this.#setCaption(problem);
  }

  get isPainted() {
    return this.#picture !== null;
  }

  /** @param {string} text describes the picture, or the problem */
  #setCaption(text) {
    this.#what.textContent = text;
    this.element.title = text;
  }
}
