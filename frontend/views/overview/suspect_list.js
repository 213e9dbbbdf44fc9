/** Samples whose label may be wrong, as pictures. */

import { className, formatCount, formatPercent } from "../../samples/captions.js";
import { rangeCaption } from "../../samples/step_ranges.js";
import { element } from "../common/dom.js";
import { Example } from "../common/example.js";

/** @import {Suspect} from "../../samples/suspects.js" */
/** @import {StepRange} from "../../samples/step_ranges.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

/** How many suspects are shown, and how many more with each press of the button. */
const AT_FIRST = 14;
const MORE = 42;
const NO_LABELS = "No sample has a label, so no answer can be called wrong. Give the hook the labels: ";

export class SuspectList {
  /** @type {Example[]} */
  examples = [];
  #count = AT_FIRST;
  /** @type {{suspects: Suspect[], options: {hasLabels: boolean, range: StepRange}} | null} */
  #shown = null;
  #list = element("ul", { className: "suspects" });
  #title = element("small");
  #nothing = element("p", { className: "nothing" });
  #more = element("button", { type: "button", className: "more" });
  element = element(
    "section",
    { className: "suspect-section", ariaLabel: "Labels to check" },
    element("h2", {}, "Labels to check ", this.#title),
    this.#nothing,
    this.#list,
    this.#more,
  );
  #settings;

  /** @param {() => DisplaySettings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#more.addEventListener("click", () => {
      this.#count += MORE;
      if (this.#shown) this.show(this.#shown.suspects, this.#shown.options);
    });
  }

  /**
   * @param {Suspect[]} suspects
   * @param {{hasLabels: boolean, range: StepRange}} options
   */
  show(suspects, options) {
    const before = this.#shown;
    const shown = suspects.slice(0, this.#count);
    this.#shown = { suspects, options };
    if (before?.suspects === suspects && this.#list.childElementCount === shown.length) return;
    const focused = this.examples.find(({ element: node }) => node === document.activeElement)?.sample.key;
    this.examples = shown.map((suspect) => this.#example(suspect));
    this.#list.replaceChildren(...this.examples.map(({ element: node }) => element("li", {}, node)));
    this.examples.find(({ sample }) => sample.key === focused)?.element.focus({ preventScroll: true });
    this.#title.textContent = suspects.length
      ? "wrong and sure: validation samples first, then the same wrong answer again and again, then the largest loss"
      : "";
    this.#nothing.hidden = suspects.length > 0;
    this.#list.hidden = !suspects.length;
    if (options.hasLabels) this.#nothing.textContent = `No captured sample is wrong at ${rangeCaption(options.range)}.`;
    else this.#nothing.replaceChildren(NO_LABELS, element("code", {}, "hook(inputs, logits, labels)"), ".");
    this.#more.hidden = suspects.length <= this.#count;
    this.#more.textContent = `Show more of ${formatCount(suspects.length)}`;
  }

  /** @param {Suspect} suspect */
  #example({ sample, times, runs }) {
    const { session, label, classes, probabilities, id } = sample;
    const nameOf = (/** @type {number} */ index) => className(session.class_names, index);
    const often = times > 1 ? `${formatCount(times)} times${runs > 1 ? ` in ${formatCount(runs)} runs` : ""}` : "once";
    const line = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...words) =>
      element("span", { className: name }, ...words);
    return new Example(sample, null, {
      panels: [],
      morph: this.#settings().morph,
      caption: [
        line("labelled", "labelled ", element("b", {}, label === null ? "" : nameOf(label))),
        line("said", "says ", element("b", {}, nameOf(classes[0])), ` ${formatPercent(probabilities[0])}`),
        line("often", often),
        line("id", id ?? `step ${formatCount(sample.step)}`),
      ],
    });
  }
}
