/** Items inside a scrolling element, each at its own place. Only those near the visible range have elements. */

import { element, putInOrder, setBox } from "./dom.js";

/** @import {AnchorMode} from "../../layout/scroll_anchor.js" */
/** @import {Places} from "../../layout/places.js" */

/** How far above and below the visible range elements exist, in screen heights. */
const MARGIN = 0.5;

/**
 * The scroll position: the first visible item and those after it, and how far the first one is above the upper edge.
 * @template Item
 * @typedef {{followers: Item[], position: number, offset: number}} Anchor
 */

/**
 * @template Item
 * @template {{element: HTMLElement}} Row
 * @typedef {object} ListOptions
 * @property {(item: Item) => string | number} keyOf
 * @property {(item: Item, position: number) => Row} makeRow
 * @property {(row: Row, item: Item, position: number) => boolean} [fits] whether an earlier row still shows its item.
 *   Without it, a row fits while its item is the same object at the same position
 * @property {(row: Row, item: Item, position: number) => void} [update] brings a row up to date. All rows exist then
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
  /** @type {Places} */
  #places = { size: { height: 0 }, boxOf: () => ({ top: 0, height: 0 }), between: () => ({ first: 0, end: 0 }) };
  /** Whether items or places changed after the last `render`. */
  #isMoved = false;
  /** The ranges at the last `render`. */
  #rendered = { visible: { first: 0, end: 0 }, near: { first: 0, end: 0 } };
  /** @type {Map<string | number, {item: Item, position: number, row: Row, isStale: boolean}>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} scroller the scrolling element, which can also hold other things above and below the list
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

  /** The items that were near the visible range at the last `render`, the visible ones first. */
  get near() {
    return this.nearPositions.map((position) => this.#items[position]);
  }

  /** The positions of these items. They are not measured again, because that would cost a layout of the new rows. */
  get nearPositions() {
    const { visible, near } = this.#rendered;
    const all = Array.from({ length: near.end - near.first }, (_, at) => near.first + at);
    const isVisible = (/** @type {number} */ position) => position >= visible.first && position < visible.end;
    return [...all.filter(isVisible), ...all.filter((position) => !isVisible(position))];
  }

  /** The position of the first visible item. */
  get firstVisible() {
    const top = this.#top;
    const { first, end } = this.#within(0);
    const isBelow = (/** @type {number} */ position) => {
      const box = this.#places.boxOf(position);
      return box.top + box.height > top;
    };
    let position = first;
    while (position < end - 1 && !isBelow(position)) position++;
    return position;
  }

  /** @param {number} position */
  isVisible(position) {
    const { first, end } = this.#within(0);
    return position >= first && position < end;
  }

  /** @param {string | number} key */
  row(key) {
    return this.#rows.get(key)?.row;
  }

  /**
   * Takes other items or other places. `render` draws them.
   * @param {Item[]} items
   * @param {Places | ((was: number, now: number) => Places)} places a function learns at which position the first
   *   visible item was and is now; both are -1 if the list does not stay there
   * @param {AnchorMode} [mode] which items the list stays at; without it the scroll position is left alone
   */
  show(items, places, mode) {
    const anchor = mode && this.#anchor(mode);
    this.#items = items;
    this.#isMoved = true;
    const { was, now } = anchor ? this.#found(anchor) : { was: -1, now: -1 };
    this.#places = typeof places === "function" ? places(was, now) : places;
    setBox(this.element, this.#places.size);
    if (anchor && now >= 0) {
      this.#scroller.scrollTop += this.#places.boxOf(now).top + anchor.offset - this.#top;
    } else if (mode && mode !== "always") {
      this.#scroller.scrollTop = 0;
    }
  }

  /**
   * @param {AnchorMode} mode
   * @returns {Anchor<Item> | null} `null` at the top without an item that was focused by keyboard: then new items may
   *   appear at the top
   */
  #anchor(mode) {
    const { activeElement } = document;
    const focused = this.focusedPosition;
    const isAtTop = this.#scroller.scrollTop === 0 && !(focused >= 0 && activeElement?.matches(":focus-visible"));
    if (mode === "never" || isAtTop || !this.#items.length) return null;
    const position = this.isVisible(focused) ? focused : Math.min(this.firstVisible, this.#items.length - 1);
    const { end } = this.#within(0);
    const followers = this.#items.slice(position, mode === "visible" ? end : undefined);
    return { followers, position, offset: this.#top - this.#places.boxOf(position).top };
  }

  /**
   * The first of an anchor's items that is still in the list.
   * @param {Anchor<Item>} anchor
   * @returns {{was: number, now: number}} its positions before and now; -1 if none is
   */
  #found({ followers, position }) {
    // Nearly always it is the first one. Then no table of all positions is needed.
    const first = this.#items.indexOf(followers[0]);
    if (first >= 0) return { was: position, now: first };
    const { keyOf } = this.#options;
    const positions = new Map(this.#items.map((item, at) => [keyOf(item), at]));
    const stayed = followers.findIndex((item) => positions.has(keyOf(item)));
    return stayed < 0 ? { was: -1, now: -1 } : { was: position + stayed, now: positions.get(keyOf(followers[stayed])) ?? -1 };
  }

  /** Lets the next `render` make all rows again, for instance with other captions. */
  clear() {
    for (const entry of this.#rows.values()) entry.isStale = true;
  }

  /** Whether all visible rows exist. */
  get isFilled() {
    const { first, end } = this.#within(0);
    return this.#items.slice(first, end).every((item) => this.#rows.has(this.#options.keyOf(item)));
  }

  /**
   * Makes the rows that came near the visible range, and removes those that left it. After `show` all of these are
   * removed, because they stand where they no longer belong.
   * @param {number} [most] how many rows outside the visible range are made or removed; the default is all of them
   * @returns {boolean} whether nothing is left to make or to remove
   */
  render(most = Infinity) {
    const { keyOf, update } = this.#options;
    const [visible, near] = [this.#within(0), this.#within(MARGIN)];
    this.#rendered = { visible, near };
    const focus = this.#focus;
    const keys = new Set(this.#items.slice(near.first, near.end).map(keyOf));
    const far = [...this.#rows.keys()].filter((key) => !keys.has(key));
    let left = most;
    if (left === Infinity || this.#isMoved) for (const key of far.splice(0)) this.#drop(key);
    this.#isMoved = false;
    for (let position = near.first; position < near.end; position++) {
      const item = this.#items[position];
      const isVisible = position >= visible.first && position < visible.end;
      if (isVisible || this.#rows.has(keyOf(item)) || left-- > 0) {
        setBox(this.#entry(item, position).row.element, this.#places.boxOf(position));
      }
    }
    // Fewer than none are left if a row could not be made.
    for (const key of far.splice(0, Math.max(left, 0))) this.#drop(key);
    const entries = [...this.#rows.values()].sort((one, other) => one.position - other.position);
    putInOrder(
      this.element,
      entries.map(({ row }) => row.element),
    );
    for (const { row, item, position } of entries) update?.(row, item, position);
    if (focus && document.activeElement !== focus.node) this.#restore(focus);
    return left >= 0 && !far.length;
  }

  /** The upper edge of the visible range, from the top of the list. */
  get #top() {
    return this.#scroller.getBoundingClientRect().top - this.element.getBoundingClientRect().top;
  }

  /** @param {number} margin in screen heights */
  #within(margin) {
    const { clientHeight } = this.#scroller;
    const top = this.#top;
    return this.#places.between(top - margin * clientHeight, top + (1 + margin) * clientHeight);
  }

  /**
   * @param {Item} item
   * @param {number} position
   */
  #entry(item, position) {
    const { keyOf, makeRow, fits } = this.#options;
    const key = keyOf(item);
    const old = this.#rows.get(key);
    if (old && !old.isStale) {
      if (fits ? fits(old.row, item, position) : old.item === item && old.position === position) {
        return Object.assign(old, { item, position });
      }
    }
    if (old) this.#drop(key);
    const entry = { item, position, row: makeRow(item, position), isStale: false };
    this.#rows.set(key, entry);
    return entry;
  }

  /** @param {string | number} key */
  #drop(key) {
    this.#rows.get(key)?.row.element.remove();
    this.#rows.delete(key);
  }

  /** The focused node, with its row, its sample and the number of its button; `null` if it is elsewhere. */
  get #focus() {
    const node = document.activeElement;
    for (const [key, { row, position }] of node && this.element.contains(node) ? this.#rows : []) {
      if (!row.element.contains(node) || !(node instanceof HTMLElement)) continue;
      const sample = node.closest("[data-sample]")?.getAttribute("data-sample");
      return { node, key, position, sample, button: buttonsOf(row.element).indexOf(node) };
    }
    return null;
  }

  /**
   * Gives the focus back to what lost it because it was made again or moved.
   * @param {{node: HTMLElement, key: string | number, sample?: string | null, button: number}} focus
   */
  #restore({ node, key, sample, button }) {
    const row = this.#rows.get(key)?.row.element;
    if (!row) return;
    const again = [row, ...row.querySelectorAll("[data-sample]")].find(
      (one) => sample && one.getAttribute("data-sample") === sample,
    );
    const next = row.contains(node) ? node : (again ?? buttonsOf(row)[Math.max(button, 0)]);
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  }

  /** The position of the item that contains the focus; -1 if none does. */
  get focusedPosition() {
    return this.#focus?.position ?? -1;
  }

  /**
   * Scrolls to an item and focuses one of its nodes.
   * @param {number} position
   * @param {number | ((row: Row) => HTMLElement | undefined)} [which] the number of a button, or what finds the node
   */
  focus(position, which = 0) {
    if (!this.#items.length) return;
    const at = Math.min(Math.max(position, 0), this.#items.length - 1);
    const key = this.#options.keyOf(this.#items[at]);
    if (!this.#rows.has(key)) this.#scroller.scrollTop += this.#places.boxOf(at).top - this.#top;
    this.render();
    const row = /** @type {Row} */ (this.row(key));
    const node = typeof which === "number" ? buttonsOf(row.element)[which] : which(row);
    if (!(node instanceof HTMLElement)) return;
    node.focus({ preventScroll: true });
    const isTall = node.offsetHeight > this.#scroller.clientHeight;
    node.scrollIntoView({ block: isTall ? "start" : "nearest", inline: "nearest" });
    this.render();
  }
}

/** @param {HTMLElement} row */
function buttonsOf(row) {
  return /** @type {Element[]} */ ([...row.querySelectorAll("button")]);
}
