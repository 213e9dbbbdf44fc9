/** The legend: what the colours of gradients and the chips of verdicts mean. */

import { COLOURS } from "../../drawing/colormap.js";
import { legendOf } from "../../drawing/gradient_colors.js";
import { element } from "../common/dom.js";

/** @import {DisplaySettings} from "../common/sample_view.js" */

export class Legend {
  #ramp = element("canvas", { className: "ramp", width: COLOURS, height: 1, ariaHidden: "true" });
  #marks = element("div", { className: "ends" });
  #words = element("p");
  elements = [
    element(
      "div",
      { className: "field legend" },
      element("span", { className: "name" }, "Gradient"),
      this.#ramp,
      this.#marks,
      this.#words,
    ),
    element(
      "div",
      { className: "field legend" },
      element("span", { className: "name" }, "Verdict"),
      example("chip flipped", "8 · 95 %", "the target is predicted"),
      example("chip", "5 (8 · 45 %)", "another class is predicted"),
      example("chip open", "5 or 8", "the prediction changes near this strength"),
    ),
  ];

  /** @param {DisplaySettings} settings */
  show({ gradientColors, theme, scaleEnd, photographs }) {
    const { colours, marks, words } = legendOf(gradientColors, theme, scaleEnd, photographs);
    const image = new ImageData(new Uint8ClampedArray(colours.slice().buffer), COLOURS, 1);
    this.#ramp.getContext("2d")?.putImageData(image, 0, 0);
    this.#marks.replaceChildren(...marks.map((mark) => element("span", {}, mark)));
    this.#words.textContent = `${words} Magenta means NaN or infinity.`;
  }
}

/**
 * @param {string} chip its class
 * @param {string} verdict
 * @param {string} meaning
 */
function example(chip, verdict, meaning) {
  return element("p", {}, element("span", { className: chip }, verdict), meaning);
}
