/** The grid of cards, of which only those near the visible part exist. */

import { neighbour } from "../common/keyboard.js";
import { GRID_GAP, boxOf, gridLayout, sameLayout, samplesBetween, sizeOf, withLead } from "../../layout/grid_layout.js";
import { bothStay } from "../../layout/scroll_anchor.js";
import { Card, NOT_TO_OPEN, giveBackFocus, keyAt, updateCards } from "../card/card.js";
import { element, onPixelRatio, place, putInOrder } from "../common/dom.js";
import { showLoaded } from "../common/sample_view.js";

/** @import {Command} from "../common/keyboard.js" */
/** @import {Frame, GridLayout} from "../../layout/grid_layout.js" */
/** @import {Stay} from "../../layout/scroll_anchor.js" */
/** @import {Picture, Raster, Sample} from "../../types.js" */
/** @import {Scene, ViewListener} from "../common/sample_view.js" */

/**
 * What the user looks at: the first visible sample and those after it, how far it has been scrolled
 * past, and its column.
 * @typedef {{followers: Sample[], offset: number, column: number}} Anchor
 */

/** Between a focused card and the edge of the visible part, in CSS pixels. */
const FOCUS_MARGIN = 16;

/**
 * What the user chose of how the samples stand.
 * @typedef {Pick<Frame, "zoom" | "target" | "choices">} Choices
 */

/** @type {Choices} */
const UNCHOSEN = { zoom: null, target: null, choices: new Map() };

/** What exists above and below the visible part, in screens. */
const MARGIN = 0.5;

export class Grid {
  #content = element("div", { className: "content" });
  /** @type {Sample[]} */
  #samples = [];
  /** @type {Choices} */
  #choices = UNCHOSEN;
  /** @type {GridLayout} */
  #layout = gridLayout([], { ...UNCHOSEN, width: 0, ratio: 1 });
  /** @type {Map<string, Card>} */
  #cards = new Map();
  #width = 0;
  #ratio = 1;
  /** @type {Map<string, Raster>} of all that have been near the visible part of this layout */
  #rasters = new Map();
  /** @type {string | null} the sample that has the keyboard's focus, or had it last */
  #focused = null;
  /** A click leaves the focus on a card, too. */
  #focusedByKeyboard = false;
  /** @type {{samples: Sample[], choices: Choices, stay: Stay} | null} what could not be shown while hidden */
  #postponed = null;

  /**
   * @param {Scene} scene
   * @param {ViewListener} listener
   */
  constructor(scene, listener) {
    this.scene = scene;
    this.listener = listener;
    const properties = { className: "grid", tabIndex: 0, role: "region", ariaLabel: "Samples" };
    this.element = element("div", properties, this.#content);
    this.element.addEventListener("scroll", () => this.#scrolled());
    this.element.addEventListener("focusin", ({ target }) => {
      this.#focused = keyAt(target) ?? this.#focused;
      this.#focusedByKeyboard = target instanceof Element && target.matches(":focus-visible");
    });
    this.element.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element) || target.closest(NOT_TO_OPEN)) return;
      const sample = this.#cards.get(keyAt(target) ?? "")?.sample;
      if (sample) this.listener.onOpen(sample);
    });
    new ResizeObserver(() => this.refresh()).observe(this.element);
    onPixelRatio(() => this.refresh());
  }

  /**
   * @param {Sample[]} samples
   * @param {Choices} choices
   * @param {Stay} [stay]
   */
  show(samples, choices, stay = "always") {
    if (this.hidden) {
      this.#postponed = { samples, choices, stay: bothStay(stay, this.#postponed?.stay ?? "always") };
      return;
    }
    this.#postponed = null;
    const anchor = this.#anchor(stay);
    const sameColumns = choices.zoom === this.#choices.zoom;
    this.#samples = samples;
    this.#choices = choices;
    const stayed = this.#arrange(anchor, sameColumns);
    if (!stayed && stay !== "always") this.element.scrollTop = 0;
    this.#render();
  }

  /** Whether another tab of TensorBoard is chosen: nothing can be measured then. */
  get hidden() {
    return window.innerHeight === 0 || !this.element.clientWidth || !this.element.clientHeight;
  }

  #scrolled() {
    // Nobody needs the empty places any more: at the very top the newest comes first.
    if (this.element.scrollTop === 0 && this.#layout.lead) {
      this.#layout = withLead(this.#layout, 0);
      this.#setSize();
    }
    this.#render();
  }

  /** Makes good what could not be shown, nor told, while it was hidden or of another size. */
  refresh() {
    if (this.hidden) return;
    if (this.#postponed) this.show(this.#postponed.samples, this.#postponed.choices, this.#postponed.stay);
    if (this.element.clientWidth !== this.#width || window.devicePixelRatio !== this.#ratio) {
      this.#arrange(this.#anchor("always"), false);
    }
    this.#render();
  }

  /**
   * `null` at the very top, where new samples may come in, unless somebody is there by keyboard.
   * @param {Stay} stay
   * @returns {Anchor | null}
   */
  #anchor(stay) {
    const { scrollTop, clientHeight } = this.element;
    if (stay === "never" || (scrollTop === 0 && !this.#hasKeyboard)) return null;
    // A row of which only the gap below it is left is not looked at.
    const { first, end } = samplesBetween(this.#layout, scrollTop + GRID_GAP, scrollTop + clientHeight);
    const place = Math.min(first, this.#samples.length - 1);
    if (place < 0) return null;
    const { top } = boxOf(this.#layout, place);
    const { columns, lead } = this.#layout;
    const followers = this.#samples.slice(place, stay === "visible" ? end : undefined);
    return { followers, offset: scrollTop - top, column: (place + lead) % columns };
  }

  get #hasKeyboard() {
    return this.#focusedByKeyboard && keyAt(document.activeElement) !== null;
  }

  /**
   * @param {Anchor | null} anchor
   * @param {boolean} keepColumn
   * @returns {boolean} whether anything of the anchor stayed
   */
  #arrange(anchor, keepColumn) {
    const { columns } = this.#layout;
    this.#width = this.element.clientWidth;
    this.#ratio = window.devicePixelRatio;
    this.#rasters.clear();
    this.#layout = gridLayout(this.#samples, { ...this.#choices, width: this.#width, ratio: this.#ratio });
    if (anchor) {
      const { stayed, place } = this.#firstStill(anchor.followers);
      if (stayed >= 0) {
        if (keepColumn && columns === this.#layout.columns) {
          const column = (anchor.column + stayed) % columns;
          this.#layout = withLead(this.#layout, (((column - place) % columns) + columns) % columns);
        }
        this.#setSize();
        this.element.scrollTop = boxOf(this.#layout, place).top + anchor.offset;
        return true;
      }
    }
    this.#setSize();
    return false;
  }

  /**
   * The first of some samples that is still among those shown, and its place there.
   * @param {Sample[]} followers
   */
  #firstStill(followers) {
    // Nearly always the very first is, and then no table of all is needed.
    const first = this.#samples.indexOf(followers[0]);
    if (first >= 0) return { stayed: 0, place: first };
    const places = new Map(this.#samples.map(({ key }, place) => [key, place]));
    const stayed = followers.findIndex(({ key }) => places.has(key));
    return { stayed, place: stayed < 0 ? -1 : /** @type {number} */ (places.get(followers[stayed].key)) };
  }

  #setSize() {
    place(this.#content, sizeOf(this.#layout));
  }

  #render() {
    if (this.hidden) return;
    const focused = keyAt(document.activeElement);
    this.#renderCards();
    giveBackFocus(focused, (key) => this.#cards.get(key));
  }

  #renderCards() {
    const { scrollTop, clientHeight } = this.element;
    const bottom = scrollTop + clientHeight;
    const margin = MARGIN * clientHeight;
    const { first, end } = samplesBetween(this.#layout, scrollTop - margin, bottom + margin);
    const needed = this.#samples.slice(first, end);
    const keys = new Set(needed.map(({ key }) => key));
    const { cards } = this.#layout;
    // Before a card is made: it asks for a picture of this size.
    needed.forEach(({ key }, place) => this.#rasters.set(key, cards[first + place].raster));
    for (const [key, card] of this.#cards) {
      if (!keys.has(key)) this.#drop(key, card);
    }
    const shown = needed.map((sample, place) => this.#card(sample, first + place));
    putInOrder(this.#content, shown.map((card) => card.element));
    const visible = samplesBetween(this.#layout, scrollTop, bottom);
    const drawable = (/** @type {number} */ from, /** @type {number} */ to) =>
      this.#samples.slice(from, to).filter((_, place) => cards[from + place].drawable);
    this.listener.onWanted([
      ...drawable(visible.first, visible.end),
      ...drawable(first, visible.first),
      ...drawable(visible.end, end),
    ]);
  }

  /**
   * The card of the sample at a place: the old one, moved, as long as it looks the same.
   * @param {Sample} sample
   * @param {number} at
   */
  #card(sample, at) {
    const layout = this.#layout.cards[at];
    let card = this.#cards.get(sample.key);
    if (card && !sameLayout(card.layout, layout)) {
      this.#drop(sample.key, card);
      card = undefined;
    }
    const made = !card;
    card ??= new Card(sample, layout, this.scene, this.listener.onChange);
    place(card.element, boxOf(this.#layout, at));
    if (made) this.#cards.set(sample.key, card);
    // Also the old one: its picture may have come while another view was chosen.
    if (!card.isPainted) showLoaded(card, this.listener, this.scene);
    return card;
  }

  /**
   * @param {string} key
   * @param {Card} card
   */
  #drop(key, card) {
    card.element.remove();
    this.#cards.delete(key);
  }

  /**
   * The size at which a sample is drawn, of those that were needed.
   * @param {Sample} sample
   */
  rasterOf({ key }) {
    return this.#rasters.get(key);
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   */
  showPicture({ key }, picture) {
    this.#cards.get(key)?.showPicture(picture, this.scene);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    this.#cards.get(key)?.showProblem(problem);
  }

  /**
   * Moves the focus from sample to sample; at first to the first that is visible.
   * @param {Command} command
   */
  move(command) {
    const { scrollTop, clientHeight } = this.element;
    const { first, end } = samplesBetween(this.#layout, scrollTop, scrollTop + clientHeight);
    const place = this.#samples.findIndex(({ key }) => key === this.#focused);
    const isFocused = keyAt(document.activeElement) !== null;
    const stands = isFocused || (place >= first && place < end);
    if (!this.#samples.length) return;
    const { columns } = this.#layout;
    const to = place >= 0 && stands ? neighbour(place, command, columns, this.#samples.length) : first;
    this.focus(this.#samples[to]);
  }

  /** Opens the sample that has the focus. */
  open() {
    const sample = this.#cards.get(keyAt(document.activeElement) ?? "")?.sample;
    if (sample) this.listener.onOpen(sample);
  }

  /**
   * Scrolls to a sample, as far as need be, and focuses its card; the grid itself if it is not shown.
   * @param {Sample} sample
   */
  focus({ key }) {
    const place = this.#samples.findIndex((sample) => sample.key === key);
    if (place < 0 || this.hidden) {
      this.element.focus();
      return;
    }
    const { scrollTop, clientHeight } = this.element;
    const { top, height } = boxOf(this.#layout, place);
    if (top < scrollTop || height + 2 * FOCUS_MARGIN > clientHeight) this.element.scrollTop = top - FOCUS_MARGIN;
    else if (top + height > scrollTop + clientHeight) {
      this.element.scrollTop = top + height + FOCUS_MARGIN - clientHeight;
    }
    this.#render();
    this.#cards.get(key)?.element.focus({ preventScroll: true });
  }

  /** @param {Scene} scene */
  setScene(scene) {
    const before = this.scene;
    this.scene = scene;
    if (updateCards(this.#cards.values(), scene, before)) return;
    const focused = keyAt(document.activeElement);
    for (const [key, card] of this.#cards) this.#drop(key, card);
    this.#render();
    giveBackFocus(focused, (key) => this.#cards.get(key));
  }
}
