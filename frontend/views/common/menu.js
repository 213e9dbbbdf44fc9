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
  closeElsewhere(node, summary, () => {
    const wasOpen = node.open;
    node.open = false;
    return wasOpen;
  });
  return node;
}

/**
 * Closes what hangs below a title with Escape, and with a click elsewhere.
 * @param {HTMLElement} node the title and what hangs below it
 * @param {HTMLElement} title has the focus after Escape
 * @param {() => boolean} close returns whether it was open
 */
export function closeElsewhere(node, title, close) {
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !close()) return;
    event.stopPropagation();
    title.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !node.contains(target)) close();
  });
}
