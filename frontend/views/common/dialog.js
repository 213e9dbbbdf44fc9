/** A modal dialog with a title and a way out: Escape, the button, or a click beside it. */

import { element } from "./dom.js";

export class Dialog {
  heading;
  actions = element("div", { className: "actions" });
  content = element("div", { className: "dialog-content", tabIndex: -1 });
  element;
  #onClose;
  /** Whether its next closing is still to be told. */
  #untold = false;

  /**
   * @param {string} name its class and the beginning of its heading's id
   * @param {() => void} onClose is told once of each closing, before anything can open it again
   */
  constructor(name, onClose) {
    this.#onClose = onClose;
    this.heading = element("h2", { id: `${name}-title` });
    const close = element("button", { type: "button", className: "close", ariaLabel: "Close" }, "✕");
    this.element = element(
      "dialog",
      { className: name },
      element("header", {}, this.heading, this.actions, close),
      this.content,
    );
    this.element.setAttribute("aria-labelledby", this.heading.id);
    close.addEventListener("click", () => this.close());
    this.element.addEventListener("mousedown", ({ target }) => {
      if (target === this.element) this.close();
    });
    this.element.addEventListener("cancel", () => this.close());
    // It comes a task later, so it is but for closings that the browser announced by no "cancel".
    this.element.addEventListener("close", () => this.#tell());
  }

  open() {
    if (this.element.open) return;
    this.element.showModal();
    // The browser would focus the first button, which then would take keys that are not meant for it.
    // Here the arrows and the page keys scroll.
    this.content.focus();
    this.#untold = true;
  }

  close() {
    this.element.close();
    this.#tell();
  }

  #tell() {
    if (this.element.open || !this.#untold) return;
    this.#untold = false;
    this.#onClose();
  }
}
