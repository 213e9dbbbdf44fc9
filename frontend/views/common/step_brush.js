/** The choice of a range of steps on a horizontal axis: by dragging, or with the keys of two handles. */

import { element } from "./dom.js";

/** @import {StepRange} from "../../samples/step_ranges.js" */

/** A shorter drag, in CSS pixels, is a click and chooses nothing. */
const LEAST_DRAG = 4;
/** @type {Record<string, number>} how many recorded steps a key moves a handle */
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class StepBrush {
  #window = element("div", { className: "brush-window" });
  #handles = /** @type {const} */ (["from", "to"]).map((end) => {
    const handle = element("div", { className: `brush-handle ${end}`, tabIndex: 0, role: "slider" });
    handle.addEventListener("keydown", (event) => this.#press(event, end));
    return handle;
  });
  element = element("div", { className: "brush", role: "group" }, this.#window, ...this.#handles);
  /** @type {number[]} */
  #steps = [0];
  /** @type {StepRange} */
  #range = { from: 0, to: 0 };
  /** @type {{x: number, anchor: number, moved: boolean} | null} */
  #drag = null;
  #frame = 0;
  #onRange;

  /**
   * @param {string} label
   * @param {(range: StepRange | null) => void} onRange `null`: the user asks for the usual range
   */
  constructor(label, onRange) {
    this.#onRange = onRange;
    this.element.ariaLabel = label;
    this.element.title = "Drag to choose a range of steps. Double-click for the latest third.";
    this.#handles[0].ariaLabel = "First step";
    this.#handles[1].ariaLabel = "Last step";
    this.element.addEventListener("pointerdown", (event) => this.#start(event));
    this.element.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) this.element.addEventListener(type, () => (this.#drag = null));
    this.element.addEventListener("dblclick", () => onRange(null));
  }

  /**
   * @param {number[]} steps the recorded steps, ascending; not empty
   * @param {StepRange} range
   */
  show(steps, range) {
    this.#steps = steps;
    this.#range = range;
    const [left, right] = [range.from, range.to].map((step) => 100 * this.#share(step));
    this.#window.style.left = `${left}%`;
    this.#window.style.width = `${right - left}%`;
    [left, right].forEach((at, which) => {
      const handle = this.#handles[which];
      handle.style.left = `${at}%`;
      const step = which ? range.to : range.from;
      handle.ariaValueMin = String(steps[0]);
      handle.ariaValueMax = String(steps[steps.length - 1]);
      handle.ariaValueNow = String(Math.min(Math.max(step, steps[0]), steps[steps.length - 1]));
      handle.ariaValueText = `step ${step.toLocaleString("en")}`;
    });
  }

  /** @param {number} step */
  #share(step) {
    const [first, last] = [this.#steps[0], this.#steps[this.#steps.length - 1]];
    return last > first ? Math.min(Math.max((step - first) / (last - first), 0), 1) : 0;
  }

  /**
   * The recorded step nearest to a place on the screen.
   * @param {number} x
   */
  #stepAt(x) {
    const { left, width } = this.element.getBoundingClientRect();
    const [first, last] = [this.#steps[0], this.#steps[this.#steps.length - 1]];
    return nearest(this.#steps, first + (Math.min(Math.max((x - left) / (width || 1), 0), 1)) * (last - first));
  }

  /** @param {PointerEvent} event */
  #start(event) {
    if (event.button !== 0) return;
    const { from, to } = this.#range;
    const which = this.#handles.findIndex((handle) => handle === event.target);
    const anchor = which < 0 ? this.#stepAt(event.clientX) : which ? from : to;
    this.#drag = { x: event.clientX, anchor, moved: which >= 0 };
    this.element.setPointerCapture(event.pointerId);
    if (which < 0) event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #move({ clientX }) {
    const drag = this.#drag;
    if (!drag || (!drag.moved && Math.abs(clientX - drag.x) < LEAST_DRAG)) return;
    drag.moved = true;
    const step = this.#stepAt(clientX);
    this.#choose({ from: Math.min(step, drag.anchor), to: Math.max(step, drag.anchor) });
  }

  /**
   * @param {KeyboardEvent} event
   * @param {"from" | "to"} end
   */
  #press(event, end) {
    const last = this.#steps.length - 1;
    const at = this.#steps.indexOf(nearest(this.#steps, this.#range[end]));
    const moved = { Home: 0, End: last }[event.key] ?? at + (KEYS[event.key] ?? NaN);
    if (Number.isNaN(moved) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const step = this.#steps[Math.min(Math.max(moved, 0), last)];
    const { from, to } = this.#range;
    this.#choose(end === "from" ? { from: Math.min(step, to), to } : { from, to: Math.max(step, from) });
  }

  /**
   * A pointer can move several times in one frame. The range is chosen once.
   * @param {StepRange} range
   */
  #choose(range) {
    this.show(this.#steps, range);
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#onRange(this.#range);
    });
  }
}

/**
 * @param {number[]} steps ascending, not empty
 * @param {number} step
 */
function nearest(steps, step) {
  const above = steps.findIndex((one) => one >= step);
  if (above < 0) return steps[steps.length - 1];
  if (above === 0) return steps[0];
  return step - steps[above - 1] < steps[above] - step ? steps[above - 1] : steps[above];
}
