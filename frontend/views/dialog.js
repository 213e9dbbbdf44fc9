/** A modal dialog with a title and a way out: Escape, the button, or a click beside it. */

import { element } from "./dom.js";

export class Dialog {
  heading;
  actions = element("div", { className: "actions" });
  content = element("div", { className: "dialog-content" });
  element;

  /**
   * @param {string} name its class and the beginning of its heading's id
   * @param {() => void} onClose
   */
  constructor(name, onClose) {
    this.heading = element("h2", { id: `${name}-title` });
    const close = element("button", { type: "button", className: "close", ariaLabel: "Close" }, "✕");
    this.element = element(
      "dialog",
      { className: name },
      element("header", {}, this.heading, this.actions, close),
      this.content,
    );
    this.element.setAttribute("aria-labelledby", this.heading.id);
    // Of all that is in it nothing is more likely to be wanted than something else.
    this.element.autofocus = true;
    close.addEventListener("click", () => this.element.close());
    this.element.addEventListener("close", onClose);
    this.element.addEventListener("mousedown", ({ target }) => {
      if (target === this.element) this.element.close();
    });
  }

  open() {
    if (!this.element.open) this.element.showModal();
  }

  close() {
    if (this.element.open) this.element.close();
  }
}
