/** What the gradient's colours and the verdict's chips mean. */

import { PALETTES } from "../colormap.js";
import { NOT_FINITE } from "../pixels.js";
import { element } from "./dom.js";

/** @import {Theme} from "../types.js" */

export class Legend {
  #ramp = element("canvas", { className: "ramp", width: NOT_FINITE, height: 1, ariaHidden: "true" });
  elements = [
    element(
      "div",
      { className: "field legend" },
      element("span", { className: "name" }, "Gradient"),
      this.#ramp,
      element(
        "div",
        { className: "ends" },
        element("span", {}, "lowers"),
        element("span", {}, "0"),
        element("span", {}, "raises"),
      ),
      element(
        "p",
        {},
        "what brightening a pixel does to the target's score; each panel reaches to its own largest value; magenta is not finite",
      ),
    ),
    element(
      "div",
      { className: "field legend verdicts" },
      element("span", { className: "name" }, "Verdict"),
      example("chip flipped", "8 at 0.95", "the network says the target"),
      example("chip", "5 (8 at 0.45)", "it says something else"),
      example("chip open", "5 or 8", "it changed its mind nearby"),
    ),
  ];

  /** @param {Theme} theme */
  showTheme(theme) {
    const colours = PALETTES[theme].slice(0, NOT_FINITE);
    const image = new ImageData(new Uint8ClampedArray(colours.buffer), NOT_FINITE, 1);
    this.#ramp.getContext("2d")?.putImageData(image, 0, 0);
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
