/** Form fields: choices and ranges of numbers, with labels. */

import { element } from "./dom.js";

/**
 * @param {string} id
 * @param {(value: string) => void} onChoice
 * @param {[string, string][]} [choices] value and text of each option
 */
export function select(id, onChoice, choices = []) {
  const node = element("select", { id });
  node.addEventListener("change", () => onChoice(node.value));
  setOptions(node, choices);
  return node;
}

/**
 * Sets the options. If their values stay the same, only texts change, so that an open list does not close.
 * @param {HTMLSelectElement} node
 * @param {[string, string][]} choices value and text of each option
 */
export function setOptions(node, choices) {
  const same = [...node.options].every(({ value }, position) => value === choices[position]?.[0]);
  if (!same || node.options.length !== choices.length) {
    node.replaceChildren(...choices.map(([value, text]) => element("option", { value }, text)));
    return;
  }
  choices.forEach(([, text], position) => {
    if (node.options[position].text !== text) node.options[position].text = text;
  });
}

/**
 * @param {string} name
 * @param {HTMLElement} control
 */
export function labelledField(name, control) {
  const label = element("label", { className: "name", htmlFor: control.id }, name);
  return element("div", { className: "field" }, label, control);
}

/** A range from one number to another. Each of them may be empty. */
export class RangeField {
  #from;
  #to;

  /**
   * @param {string} id
   * @param {string} name
   * @param {(range: {from: number | null, to: number | null} | null) => void} onRange `null` if both are empty
   * @param {string} title
   */
  constructor(id, name, onRange, title) {
    const end = (/** @type {string} */ which) => {
      const properties = { id: `${id}-${which}`, type: "number", min: "0", step: "any", placeholder: which };
      const node = element("input", { ...properties, ariaLabel: `${name}: ${which}` });
      node.addEventListener("change", () => {
        const [from, to] = [this.#from, this.#to].map(({ value }) => (value === "" ? null : Number(value)));
        onRange(from === null && to === null ? null : { from, to });
      });
      return node;
    };
    this.#from = end("from");
    this.#to = end("to");
    this.element = element(
      "div",
      { className: "field range", role: "group", ariaLabel: name, title },
      element("span", { className: "name" }, name),
      element("div", {}, this.#from, element("span", {}, "to"), this.#to),
    );
  }

  /** @param {{from: number | null, to: number | null} | null} range */
  show(range) {
    for (const [node, value] of /** @type {const} */ ([
      [this.#from, range?.from],
      [this.#to, range?.to],
    ])) {
      if (node !== document.activeElement) node.value = String(value ?? "");
    }
  }
}
