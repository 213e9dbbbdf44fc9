/** What the hook found out about the training: one notice in full, or a line that several fold out of. */

import { SEVERITIES } from "../../samples/session_status.js";
import { noticesInUse, tickedRuns } from "../../state/selectors.js";
import { withoutNotice } from "../../state/transitions.js";
import { element } from "./dom.js";

/** @import {RunNotice} from "../../samples/session_status.js" */
/** @import {OnChange, State} from "../../state/state.js" */

const NAMES = {
  error: ["error", "errors"],
  warning: ["warning", "warnings"],
  info: ["hint", "hints"],
};

export class NoticeList {
  #list = element("ul");
  #summary = element("summary");
  #details = element("details", {}, this.#summary, this.#list);
  /** Read out by a screen reader when it changes. The notices themselves are not read out again. */
  #status = element("p", { className: "read-out", role: "status" });
  #section = element("section", { className: "notices", ariaLabel: "Notices", hidden: true }, this.#details);
  element = element("div", {}, this.#status, this.#section);
  #shown = "";
  #unfolded = false;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#summary.addEventListener("click", () => (this.#unfolded = !this.#details.open));
  }

  /** @param {State} state */
  show(state) {
    const notices = noticesInUse(state);
    const isNamed = tickedRuns(state).length > 1;
    const shown = JSON.stringify([notices, isNamed]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const position = [...this.#list.children].findIndex((item) => item.contains(document.activeElement));
    this.#section.hidden = !notices.length;
    this.#section.dataset.severity = notices[0]?.severity ?? "";
    this.#summary.hidden = notices.length < 2;
    this.#details.open = notices.length < 2 || this.#unfolded;
    this.#summary.textContent = countCaption(notices);
    this.#status.textContent = notices.length === 1 ? notices[0].message : countCaption(notices);
    this.#list.replaceChildren(...notices.map((notice) => this.#makeItem(notice, isNamed)));
    if (position < 0) return;
    const next = this.#list.children[Math.min(position, notices.length - 1)];
    next?.querySelector("button")?.focus();
  }

  /**
   * @param {RunNotice} notice
   * @param {boolean} isNamed whether it says which run it is about
   */
  #makeItem({ key, run, severity, message, remedy, found }, isNamed) {
    const words = element("p", {}, element("b", {}, NAMES[severity][0]), " ");
    if (isNamed) words.append(element("span", { className: "notice-run" }, `${run}:`), " ");
    words.append(message);
    if (remedy) words.append(" ", element("span", { className: "remedy" }, remedy));
    if (found) words.append(" ", element("span", { className: "found" }, `(${found})`));
    const dismiss = element("button", { type: "button", ariaLabel: "Dismiss this notice" }, "×");
    dismiss.title = "Dismiss until the page is loaded again";
    dismiss.addEventListener("click", () => this.onChange((state) => withoutNotice(state, key)));
    return element("li", { className: `notice ${severity}` }, words, dismiss);
  }
}

/**
 * "3 notices: 1 error, 2 warnings"
 * @param {RunNotice[]} notices
 */
function countCaption(notices) {
  if (!notices.length) return "";
  const counts = SEVERITIES.flatMap((severity) => {
    const count = notices.filter((notice) => notice.severity === severity).length;
    return count ? [`${count} ${NAMES[severity][count === 1 ? 0 : 1]}`] : [];
  });
  return `${notices.length} notices: ${counts.join(", ")}`;
}
