/** A modal dialog with a title. Escape, the button, and a click outside close it. */

import { element } from "./dom.js";

export class Dialog {
  heading;
  actions = element("div", { className: "actions" });
  content = element("div", { className: "dialog-content", tabIndex: -1 });
  element;
  #onClose;
  /** Whether `onClose` has to be called for the next closing. */
  #isUnreported = false;

  /**
   * @param {string} name its class, and the prefix of its heading's id
   * @param {() => void} onClose is called once for each closing, before the dialog can open again
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
    // This event comes a task later. It is needed if the browser closes the dialog without a "cancel" event.
    this.element.addEventListener("close", () => this.#reportClosing());
  }

  open() {
    if (this.element.open) return;
    this.element.showModal();
    // By default the browser focuses the first button, which would then take the keys. The content scrolls with
    // the arrow and page keys.
    this.content.focus();
    this.#isUnreported = true;
  }

  close() {
    this.element.close();
    this.#reportClosing();
  }

  #reportClosing() {
    if (this.element.open || !this.#isUnreported) return;
    this.#isUnreported = false;
    this.#onClose();
  }
}
