/** Elements without strings of HTML: a class name or a sample's id is never more than text. */

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
export function drawing(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * Brings the only children of a node in order. What stands right is left where it is: what is moved
 * loses the focus.
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
 * Calls when the page comes to a screen of another resolution, or is zoomed.
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
 * @param {HTMLElement} node
 * @param {{left?: number, top?: number, width?: number, height?: number}} box in CSS pixels
 */
export function place(node, box) {
  for (const [side, length] of Object.entries(box)) node.style.setProperty(side, `${length}px`);
}
