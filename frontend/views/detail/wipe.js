/** Compares a morph with the original: a slider wipes from one to the other, and a press shows the original alone. */

import { element } from "../common/dom.js";

export class Wipe {
  #slider = element("input", { type: "range", min: "0", max: "100", value: "0", step: "1" });
  #edge = element("span", { className: "wipe-edge" });
  #isPressed = false;
  /** Shows the original, over the morph. */
  canvas = element("canvas", { className: "original-over" });
  element = element(
    "label",
    { className: "wipe", title: "How much of the picture shows the original, from the left" },
    element("span", {}, "morph"),
    this.#slider,
    element("span", {}, "original"),
  );

  /**
   * @param {HTMLElement} frame holds the canvas of the morph
   * @param {boolean} isEnlarged
   */
  constructor(frame, isEnlarged) {
    this.#slider.ariaLabel = "Wipe from the morph to the original";
    this.canvas.classList.toggle("crisp", isEnlarged);
    frame.append(this.canvas, this.#edge);
    frame.title = "Press, or hold the key B, to see the original";
    frame.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      frame.setPointerCapture(event.pointerId);
      this.blink(true);
    });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => this.blink(false));
    this.#slider.addEventListener("input", () => this.#show());
    this.#show();
  }

  /**
   * Shows the original alone, or the chosen part of it again.
   * @param {boolean} on
   */
  blink(on) {
    this.#isPressed = on;
    this.#show();
  }

  #show() {
    const share = this.#isPressed ? 100 : this.#slider.valueAsNumber;
    this.canvas.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.#edge.hidden = share === 0 || share === 100;
    this.#edge.style.left = `${share}%`;
  }
}
