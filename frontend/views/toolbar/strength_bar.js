/** The strength slider for all morphs, and the button that plays them. */

import { OF_THE_CHANGE, formatPart } from "../../samples/captions.js";
import { withStrength } from "../../state/transitions.js";
import { element } from "../common/dom.js";
import { MorphSwitch } from "../common/morph_switch.js";

/** @import {OnChange} from "../../state/state.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

const STEP = 0.005;

export class StrengthBar {
  #slider = element("input", { type: "range", id: "strength", ariaLabel: "strength", min: "0", step: String(STEP) });
  #part = document.createTextNode("");
  /** A narrow toolbar leaves this out. */
  #ofWhat = element("span", { className: "of-what" });
  #output = element("output", { htmlFor: "strength", ariaLive: "off" }, this.#part, this.#ofWhat);
  #ticks = element("datalist", { id: "strengths" });
  /** Marks the end of the ascent below the slider. */
  #end = element("div", { className: "end", title: "The whole change: the end of the ascent" });
  #switch;
  #play = element("button", { type: "button", className: "play" });

  /**
   * @param {OnChange} onChange
   * @param {() => void} onPlay
   */
  constructor(onChange, onPlay) {
    this.#switch = new MorphSwitch(onChange);
    this.#play.addEventListener("click", onPlay);
    this.showPlaying(false);
    this.#slider.setAttribute("list", "strengths");
    this.#slider.title = "morph = original + strength × delta, clipped to the bounds";
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
        this.#end,
      ),
      this.#output,
    );
    this.switch = this.#switch.element;
  }

  /** @param {boolean} playing */
  showPlaying(playing) {
    this.#play.textContent = playing ? "❚❚" : "▶";
    this.#play.ariaLabel = playing ? "Pause" : "Play";
    this.#play.title = playing ? "Pause (space)" : "Play all morphs back and forth (space)";
  }

  /**
   * @param {DisplaySettings} settings
   * @param {number[]} [recorded] the recorded strengths, if they may have changed
   */
  show(settings, recorded) {
    const { strength, largestStrength: largest, atFlip } = settings;
    this.#switch.show(settings);
    this.#slider.disabled = largest === 0;
    this.#play.disabled = largest === 0;
    this.#slider.max = String(largest || 1);
    this.#slider.value = String(strength);
    this.#part.data = atFlip ? "each at its flip" : formatPart(strength);
    const ofWhat = atFlip ? "" : OF_THE_CHANGE;
    if (this.#ofWhat.textContent !== ofWhat) this.#ofWhat.textContent = ofWhat;
    this.element.classList.toggle("at-flip", atFlip);
    this.element.style.setProperty("--end", String(1 / (largest || 1)));
    this.#end.hidden = largest < 1;
    const values = recorded?.map(String);
    if (values && values.join() !== [...this.#ticks.options].map(({ value }) => value).join()) {
      this.#ticks.replaceChildren(...values.map((value) => element("option", { value })));
    }
  }
}
