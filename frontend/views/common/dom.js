/** Builds elements without strings of HTML, so that a class name or an id from a log is only text. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<Omit<HTMLElementTagNameMap[Tag], "style">> | {htmlFor?: string}} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svgElement(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * Puts the children of a node in order. A child that is in the right position is not moved, because moving it would
 * take away its focus.
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} nodes
 */
export function putInOrder(parent, nodes) {
  let next = parent.firstElementChild;
  for (const node of nodes) {
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}

/**
 * Calls back when the resolution changes: the page is zoomed, or it moves to another screen.
 * @param {() => void} call
 */
export function onPixelRatio(call) {
  const query = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  const changed = () => {
    onPixelRatio(call);
    call();
  };
  query.addEventListener("change", changed, { once: true });
}

/**
 * Sets the position and the size of a node.
 * @param {HTMLElement} node
 * @param {{left?: number, top?: number, width?: number, height?: number}} box in CSS pixels
 */
export function setBox(node, box) {
  for (const [side, length] of Object.entries(box)) node.style.setProperty(side, `${length}px`);
}
