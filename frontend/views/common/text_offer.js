/** Text to take away: it is copied, or shown if the browser does not allow copying. */

import { copyText } from "./clipboard.js";
import { element } from "./dom.js";

export class TextOffer {
  #place;
  #text = element("textarea", { className: "text-offer", readOnly: true, ariaLabel: "Text to copy", rows: 4 });

  /** @param {HTMLElement} place a text that is shown comes after this element */
  constructor(place) {
    this.#place = place;
  }

  /**
   * @param {string} text
   * @param {string} what names the text: a plural, or "code"
   * @returns {Promise<string>} what happened
   */
  async offer(text, what) {
    this.clear();
    if (await copyText(text)) return `The ${what} ${what === "code" ? "was" : "were"} copied to the clipboard.`;
    this.#text.value = text;
    this.#place.after(this.#text);
    this.#text.select();
    return `The browser does not allow copying. Copy the ${what} from here:`;
  }

  /** Takes a text that is shown away. */
  clear() {
    this.#text.remove();
  }
}
