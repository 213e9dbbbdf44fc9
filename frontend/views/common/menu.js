/** A menu that opens below its title. Escape and a click elsewhere close it. */

import { element } from "./dom.js";

/**
 * @param {string} name its class
 * @param {HTMLElement} summary its title
 * @param {...HTMLElement} content
 */
export function menu(name, summary, ...content) {
  const node = element(
    "details",
    { className: `menu ${name}` },
    summary,
    element("div", { className: "sheet" }, ...content),
  );
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    event.stopPropagation();
    node.open = false;
    summary.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !node.contains(target)) node.open = false;
  });
  return node;
}
