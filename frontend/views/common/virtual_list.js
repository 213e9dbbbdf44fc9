/** A list of rows of equal height inside a scrolling element. Only the rows near the visible range exist. */

import { element, putInOrder, setBox } from "./dom.js";

/** How far above and below the visible range rows exist, in screen heights. */
const MARGIN = 0.5;

/**
 * @template Item
 * @template {{element: HTMLElement}} Row
 * @typedef {object} ListOptions
 * @property {() => number} rowHeight in CSS pixels
 * @property {(item: Item) => string | number} keyOf
 * @property {(item: Item, position: number) => Row} makeRow
 */

/**
 * @template Item
 * @template {{element: HTMLElement}} Row
 */
export class VirtualList {
  element = element("div", { className: "rows" });
  #scroller;
  #options;
  /** @type {Item[]} */
  #items = [];
  /** @type {Map<string | number, {item: Item, position: number, row: Row}>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} scroller the scrolling element, which also holds other things above and below the list
   * @param {ListOptions<Item, Row>} options
   */
  constructor(scroller, options) {
    this.#scroller = scroller;
    this.#options = options;
  }

  get items() {
    return this.#items;
  }

  /** The rows that exist, from top to bottom. */
  get rows() {
    return [...this.#rows.values()].sort((one, other) => one.position - other.position).map(({ row }) => row);
  }

  /** @param {Item[]} items a row is made again if its item is another object */
  show(items) {
    this.#items = items;
    this.render();
  }

  /** Makes all rows again, for instance with another layout. */
  clear() {
    for (const key of this.#rows.keys()) this.#drop(key);
  }

  /** Makes the rows that came near the visible range, and removes those that left it. */
  render() {
    const { rowHeight, keyOf } = this.#options;
    const height = rowHeight();
    setBox(this.element, { height: this.#items.length * height });
    const { clientHeight } = this.#scroller;
    const top = this.#scroller.getBoundingClientRect().top - this.element.getBoundingClientRect().top;
    const first = Math.max(Math.floor((top - MARGIN * clientHeight) / height), 0);
    const end = Math.min(Math.ceil((top + (1 + MARGIN) * clientHeight) / height), this.#items.length);
    const near = this.#items.slice(first, Math.max(end, first));
    const keys = new Set(near.map(keyOf));
    const focus = this.#focusedButton();
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.#drop(key);
    const rows = near.map((item, at) => this.#row(item, first + at));
    rows.forEach(({ element: node }, at) => setBox(node, { top: (first + at) * height, height }));
    putInOrder(
      this.element,
      rows.map(({ element: node }) => node),
    );
    if (focus && !document.contains(focus.node)) this.#focusButton(focus.key, focus.button);
  }

  /**
   * @param {Item} item
   * @param {number} position
   */
  #row(item, position) {
    const { keyOf, makeRow } = this.#options;
    const key = keyOf(item);
    const old = this.#rows.get(key);
    if (old?.item === item && old.position === position) return old.row;
    if (old) this.#drop(key);
    const row = makeRow(item, position);
    this.#rows.set(key, { item, position, row });
    return row;
  }

  /** @param {string | number} key */
  #drop(key) {
    this.#rows.get(key)?.row.element.remove();
    this.#rows.delete(key);
  }

  /** The row and the button that have the focus. */
  #focusedButton() {
    const node = document.activeElement;
    for (const [key, { row }] of this.#rows) {
      if (node && row.element.contains(node)) return { node, key, button: buttonsOf(row.element).indexOf(node) };
    }
    return null;
  }

  /**
   * @param {string | number} key
   * @param {number} button
   */
  #focusButton(key, button) {
    const row = this.#rows.get(key)?.row;
    const node = row && buttonsOf(row.element)[Math.max(button, 0)];
    if (node instanceof HTMLElement) node.focus({ preventScroll: true });
  }

  /** The position of the row that contains the focus; -1 if none does. */
  get focusedPosition() {
    const focused = this.#focusedButton();
    return focused ? (this.#rows.get(focused.key)?.position ?? -1) : -1;
  }

  /**
   * Scrolls to a row and focuses one of its buttons.
   * @param {number} position
   * @param {number} [button]
   */
  focus(position, button = 0) {
    if (!this.#items.length) return;
    const at = Math.min(Math.max(position, 0), this.#items.length - 1);
    const height = this.#options.rowHeight();
    const scroller = this.#scroller.getBoundingClientRect();
    const top = this.element.getBoundingClientRect().top + at * height - scroller.top;
    if (top < 0) this.#scroller.scrollTop += top;
    else if (top + height > scroller.height) this.#scroller.scrollTop += top + height - scroller.height;
    this.render();
    this.#focusButton(this.#options.keyOf(this.#items[at]), button);
  }
}

/** @param {HTMLElement} row */
function buttonsOf(row) {
  return /** @type {Element[]} */ ([...row.querySelectorAll("button")]);
}
