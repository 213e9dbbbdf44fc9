/** The strength slider for all morphs, and the button that plays them. */

import { formatDecimals } from "../../samples/captions.js";
import { withStrength } from "../../state/transitions.js";
import { element } from "../common/dom.js";

/** @import {OnChange} from "../../state/state.js" */

const STEP = 0.005;

export class StrengthBar {
  #slider = element("input", { type: "range", id: "strength", min: "0", step: String(STEP) });
  #output = element("output", { htmlFor: "strength", ariaLive: "off" });
  #ticks = element("datalist", { id: "strengths" });
  #end = element("span", { className: "end" }, "1.00: the end of the ascent");
  #play = element("button", { type: "button", className: "play" });

  /**
   * @param {OnChange} onChange
   * @param {() => void} onPlay
   */
  constructor(onChange, onPlay) {
    this.#play.addEventListener("click", onPlay);
    this.showPlaying(false);
    this.#slider.setAttribute("list", "strengths");
    this.#slider.title = "morph = original + strength × delta";
    this.#slider.addEventListener("input", () => {
      const strength = this.#slider.valueAsNumber;
      onChange((state) => withStrength(state, strength));
    });
    this.element = element(
      "div",
      { className: "strength" },
      this.#play,
      element("label", { htmlFor: "strength" }, "strength"),
      element(
        "div",
        { className: "scale" },
        this.#slider,
        this.#ticks,
        element("div", { className: "marks" }, element("span", {}, "0: the original"), this.#end),
      ),
      this.#output,
    );
  }

  /** @param {boolean} playing */
  showPlaying(playing) {
    this.#play.textContent = playing ? "❚❚" : "▶";
    this.#play.ariaLabel = playing ? "Pause" : "Play";
    this.#play.title = playing ? "Pause (space)" : "Play all morphs back and forth (space)";
  }

  /**
   * @param {number} strength
   * @param {number} largest the largest recorded strength; 0 if no morph is recorded
   * @param {number[]} [recorded] the recorded strengths, if they may have changed
   */
  show(strength, largest, recorded) {
    this.#slider.disabled = largest === 0;
    this.#play.disabled = largest === 0;
    this.#slider.max = String(largest || 1);
    this.#slider.value = String(strength);
    this.#output.value = formatDecimals(strength);
    this.element.style.setProperty("--end", String(1 / (largest || 1)));
    this.#end.hidden = largest < 1;
    const values = recorded?.map(String);
    if (values && values.join() !== [...this.#ticks.options].map(({ value }) => value).join()) {
      this.#ticks.replaceChildren(...values.map((value) => element("option", { value })));
    }
  }
}
