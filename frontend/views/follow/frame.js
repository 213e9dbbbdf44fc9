/** One frame of a filmstrip: a sample at one step of the training. */

import { className, decimals, isWrong } from "../../samples/captions.js";
import { CHART, HEAD, PITCH, lineThrough } from "../../layout/filmstrip_layout.js";
import { strengthOf } from "../../state/selectors.js";
import { drawing, element } from "../common/dom.js";
import { paintThumbnail, thumbnail } from "../common/panel.js";

/** @import {Picture, Sample} from "../../types.js" */
/** @import {Scene} from "../common/sample_view.js" */
/** @import {Part} from "../common/panel.js" */

export class Frame {
  #canvas = thumbnail();
  #what = element("span", { className: "frame-step" });
  /** @type {Picture | null} */
  #picture = null;
  element;

  /**
   * @param {Sample[]} samples the history
   * @param {number} at the position of the frame in the history
   * @param {Part} part
   */
  constructor(samples, at, part) {
    const sample = samples[at];
    this.sample = sample;
    this.part = part;
    const { session, classes, probabilities, targets } = sample;
    const says = classes.length ? `${className(session.class_names, classes[0])} (${decimals(probabilities[0])})` : "no prediction";
    const wrong = isWrong(sample);
    const target = part.kind === "original" ? null : targets[part.place];
    const what = target && part.kind !== "original" ? `${part.kind} → ${className(session.class_names, target.index)}` : "original";
    this.#what.textContent = what;
    this.element = element(
      "button",
      {
        type: "button",
        className: "frame",
        tabIndex: -1,
        title: what,
        ariaLabel: `step ${sample.step}: prediction ${says}${wrong ? ", wrong" : ""}, margin ${decimals(sample.margin)}; ${what}`,
      },
      this.#chart(samples, at),
      this.#canvas,
      element("span", { className: "frame-step" }, `step ${sample.step.toLocaleString("en")}`),
      element("span", { className: wrong ? "wrong" : "" }, wrong ? `✗ ${says}` : says),
      this.#what,
    );
    this.element.dataset.sample = sample.key;
    this.element.dataset.part = what;
    Object.assign(this.element.style, { left: `${HEAD + at * PITCH}px`, width: `${PITCH}px` });
  }

  /**
   * @param {Sample[]} samples
   * @param {number} at
   */
  #chart(samples, at) {
    const height = (/** @type {number} */ margin) => 4 + (1 - Math.min(Math.max(margin, 0), 1)) * (CHART - 8);
    const line = lineThrough(samples, at);
    const { margin } = samples[at];
    const chart = drawing("svg", { width: PITCH, height: CHART, "aria-hidden": "true" });
    for (const rule of [0, 1]) {
      chart.append(drawing("line", { class: "rule", x1: 0, x2: PITCH, y1: height(rule), y2: height(rule) }));
    }
    chart.append(drawing("polyline", { points: line.map(([x, value]) => `${x},${height(value)}`).join(" ") }));
    if (line.length) chart.append(drawing("circle", { cx: PITCH / 2, cy: height(margin), r: 3 }));
    chart.append(drawing("title", {}, document.createTextNode(`margin ${decimals(margin)}`)));
    return chart;
  }

  /**
   * @param {Picture} picture
   * @param {Scene} scene
   */
  showPicture(picture, scene) {
    this.#picture = picture;
    this.#tell(this.element.dataset.part ?? "");
    this.showScene(scene);
  }

  /** @param {Scene} scene */
  showScene(scene) {
    if (!this.#picture) return;
    const strength = strengthOf(scene, this.sample.key);
    paintThumbnail(this.#canvas, this.#picture, this.part, { ...scene, strength });
    this.element.dataset.painted = decimals(strength);
  }

  /** @param {string} problem */
  showProblem(problem) {
    if (!this.#picture) this.#tell(problem);
  }

  get isPainted() {
    return this.#picture !== null;
  }

  /** @param {string} text describes the picture, or the problem */
  #tell(text) {
    this.#what.textContent = text;
    this.element.title = text;
  }
}
