/** The Samples view: a grid of cards. Only the cards near the visible range exist. */

import { neighbour } from "../common/key_commands.js";
import { GRID_GAP, boxOf, gridLayout, sameLayout, samplesBetween, sizeOf, withLead } from "../../layout/grid_layout.js";
import { stricterMode } from "../../layout/scroll_anchor.js";
import { Card, INTERACTIVE, blinkCards, restoreFocus, sampleKeyAt, updateCards } from "../card/card.js";
import { formatCounted } from "../../samples/captions.js";
import { sharedCaption, sharedFacts } from "../../samples/shared_facts.js";
import { shownTargets } from "../../state/selectors.js";
import { element, onPixelRatio, setBox, putInOrder } from "../common/dom.js";
import { showLoaded } from "../common/sample_view.js";

/** @import {Command} from "../common/key_commands.js" */
/** @import {GridOptions, GridLayout} from "../../layout/grid_layout.js" */
/** @import {AnchorMode} from "../../layout/scroll_anchor.js" */
/** @import {State} from "../../state/state.js" */
/** @import {Picture, Raster, Sample} from "../../types.js" */
/** @import {DisplaySettings, ViewListener} from "../common/sample_view.js" */

/**
 * The scroll position: the first visible sample and those after it, how far the first one is above the upper edge, and
 * its column.
 * @typedef {{followers: Sample[], offset: number, column: number}} Anchor
 */

/** The space between a focused card and the edge of the visible range, in CSS pixels. */
const FOCUS_MARGIN = 16;

/**
 * The user's choices that affect the layout.
 * @typedef {Pick<GridOptions, "zoom" | "targets" | "choices">} Choices
 */

/** @type {Choices} */
const UNCHOSEN = { zoom: null, targets: "changing", choices: new Map() };

/** How far above and below the visible range cards exist, in screen heights. */
const MARGIN = 0.5;

export class Grid {
  #content = element("div", { className: "content" });
  #scroller = element(
    "div",
    { className: "grid", tabIndex: 0, role: "region", ariaLabel: "Samples" },
    this.#content,
  );
  #facts = element("p", { className: "facts-of-all" });
  /** Shows the captures that came while the user looks at the others. */
  #news = element("button", { type: "button", className: "news", hidden: true });
  /** What stands above the cards: what holds for all of them, and the announcement of new ones. */
  head = element("div", { className: "grid-head" });
  element;
  /** @type {Sample[]} */
  #samples = [];
  #shared = sharedFacts([]);
  /** @type {Choices} */
  #choices = UNCHOSEN;
  /** @type {GridLayout} */
  #layout = gridLayout([], { ...UNCHOSEN, width: 0, ratio: 1 });
  /** @type {Map<string, Card>} */
  #cards = new Map();
  #width = 0;
  #height = 0;
  #ratio = 1;
  /** @type {Map<string, Raster>} of all samples that have been near the visible range of this layout */
  #rasters = new Map();
  /** @type {string | null} the key of the sample that has the focus, or had it last */
  #focused = null;
  /** False if a click set the focus. */
  #focusedByKeyboard = false;
  /**
   * The arguments of `show` while the view was hidden.
   * @type {{samples: Sample[], choices: Choices, anchorMode: AnchorMode} | null}
   */
  #postponed = null;
  /** @type {Sample[] | null} the samples that are shown when the user asks for the new ones */
  #held = null;

  /**
   * @param {DisplaySettings} settings
   * @param {ViewListener} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    this.#news.title = "Show the samples that were captured since";
    this.#news.addEventListener("click", () => {
      if (this.#held) this.#show(this.#held, this.#choices, "always");
      this.#scroller.focus({ preventScroll: true });
    });
    this.head.append(this.#facts, element("div", { className: "announced", role: "status" }, this.#news));
    this.element = this.#scroller;
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    this.#scroller.addEventListener("focusin", ({ target }) => {
      this.#focused = sampleKeyAt(target) ?? this.#focused;
      this.#focusedByKeyboard = target instanceof Element && target.matches(":focus-visible");
    });
    this.#scroller.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element) || target.closest(INTERACTIVE)) return;
      const sample = this.#cards.get(sampleKeyAt(target) ?? "")?.sample;
      if (sample) this.listener.onOpen(sample);
    });
    new ResizeObserver(() => this.refresh()).observe(this.#scroller);
    onPixelRatio(() => this.refresh());
  }

  /**
   * @param {State} state
   * @param {Sample[]} samples filtered and sorted
   * @param {AnchorMode} [anchorMode]
   * @param {boolean} [isNews] whether the user did not ask for the change: then cards keep their places, and new
   *   samples are announced
   */
  show(state, samples, anchorMode = "always", isNews = false) {
    const { chosenZoom: zoom, targetChoices } = state;
    const choices = { zoom, targets: shownTargets(state), choices: targetChoices };
    const before = this.#postponed ?? { samples: this.#held ?? this.#samples, choices: this.#choices };
    const isSame = sameSamples(samples, before.samples) && sameChoices(choices, before.choices);
    if (!isSame || anchorMode === "never") this.#show(samples, choices, anchorMode, isNews);
  }

  /**
   * @param {Sample[]} samples
   * @param {Choices} choices
   * @param {AnchorMode} anchorMode
   * @param {boolean} [isNews]
   */
  #show(samples, choices, anchorMode, isNews = false) {
    const isHeld = isNews && this.#hold(samples);
    this.#held = isHeld ? samples : null;
    this.#news.hidden = !isHeld;
    if (isHeld) return;
    if (this.hidden) {
      this.#postponed = {
        samples,
        choices,
        anchorMode: stricterMode(anchorMode, this.#postponed?.anchorMode ?? "always"),
      };
      return;
    }
    this.#postponed = null;
    const anchor = this.#anchor(anchorMode);
    const sameColumns = choices.zoom === this.#choices.zoom;
    this.#samples = samples;
    this.#shared = sharedFacts(samples);
    this.#showFacts();
    this.#choices = choices;
    const stayed = this.#arrange(anchor, sameColumns);
    if (!stayed && anchorMode !== "always") this.#scroller.scrollTop = 0;
    this.#render();
  }

  /**
   * Announces new samples beside those that are shown.
   * @param {Sample[]} samples
   * @returns {boolean} false if there is nothing to hold back
   */
  #hold(samples) {
    if (this.hidden || !this.#samples.length || this.#postponed) return false;
    const known = new Set(this.#samples.map(({ key }) => key));
    const news = samples.reduce((count, { key }) => count + (known.has(key) ? 0 : 1), 0);
    if (!news || news === samples.length) return false;
    this.#news.textContent = `${formatCounted(news, "new sample")}: show`;
    return true;
  }

  #showFacts() {
    const caption = sharedCaption(this.#shared, this.settings);
    if (this.#facts.textContent !== caption) this.#facts.textContent = caption;
  }

  /** Whether another view or another tab of TensorBoard is visible. Then nothing can be measured. */
  get hidden() {
    return window.innerHeight === 0 || !this.#scroller.clientWidth || !this.#scroller.clientHeight;
  }

  #scrolled() {
    // At the top, the empty cells before the first sample are no longer needed.
    if (this.#scroller.scrollTop === 0 && this.#layout.lead) {
      this.#layout = withLead(this.#layout, 0);
      this.#setSize();
    }
    this.#render();
  }

  /** Shows what changed while the view was hidden, and adapts the layout to the size of the window. */
  refresh() {
    if (this.hidden) return;
    if (this.#postponed) this.#show(this.#postponed.samples, this.#postponed.choices, this.#postponed.anchorMode);
    const { clientWidth, clientHeight } = this.#scroller;
    if (clientWidth !== this.#width || clientHeight !== this.#height || window.devicePixelRatio !== this.#ratio) {
      this.#arrange(this.#anchor("always"), false);
    }
    this.#render();
  }

  /**
   * @param {AnchorMode} anchorMode
   * @returns {Anchor | null} `null` at the top without a card focused by keyboard: then new samples may appear at
   *   the top
   */
  #anchor(anchorMode) {
    const { scrollTop, clientHeight } = this.#scroller;
    if (anchorMode === "never" || (scrollTop === 0 && !this.#hasKeyboard)) return null;
    // A row is not visible if only the gap below it is.
    const { first, end } = samplesBetween(this.#layout, scrollTop + GRID_GAP, scrollTop + clientHeight);
    const position = Math.min(first, this.#samples.length - 1);
    if (position < 0) return null;
    const { top } = boxOf(this.#layout, position);
    const { columns, lead } = this.#layout;
    const followers = this.#samples.slice(position, anchorMode === "visible" ? end : undefined);
    return { followers, offset: scrollTop - top, column: (position + lead) % columns };
  }

  get #hasKeyboard() {
    return this.#focusedByKeyboard && sampleKeyAt(document.activeElement) !== null;
  }

  /**
   * @param {Anchor | null} anchor
   * @param {boolean} keepColumn
   * @returns {boolean} whether the scroll position was kept
   */
  #arrange(anchor, keepColumn) {
    const { columns } = this.#layout;
    this.#width = this.#scroller.clientWidth;
    this.#height = this.#scroller.clientHeight;
    this.#ratio = window.devicePixelRatio;
    this.#rasters.clear();
    this.#layout = gridLayout(this.#samples, {
      ...this.#choices,
      width: this.#width,
      height: this.#height,
      ratio: this.#ratio,
    });
    if (anchor) {
      const { stayed, position } = this.#firstStill(anchor.followers);
      if (stayed >= 0) {
        if (keepColumn && columns === this.#layout.columns) {
          const column = (anchor.column + stayed) % columns;
          this.#layout = withLead(this.#layout, (((column - position) % columns) + columns) % columns);
        }
        this.#setSize();
        this.#scroller.scrollTop = boxOf(this.#layout, position).top + anchor.offset;
        return true;
      }
    }
    this.#setSize();
    return false;
  }

  /**
   * The first of some samples that is still shown.
   * @param {Sample[]} followers
   * @returns {{stayed: number, position: number}} its position among the followers, and among the shown samples; -1
   *   and -1 if none is still shown
   */
  #firstStill(followers) {
    // Nearly always it is the first one. Then no table of all positions is needed.
    const first = this.#samples.indexOf(followers[0]);
    if (first >= 0) return { stayed: 0, position: first };
    const positions = new Map(this.#samples.map(({ key }, position) => [key, position]));
    const stayed = followers.findIndex(({ key }) => positions.has(key));
    return { stayed, position: stayed < 0 ? -1 : /** @type {number} */ (positions.get(followers[stayed].key)) };
  }

  #setSize() {
    setBox(this.#content, sizeOf(this.#layout));
  }

  #render() {
    if (this.hidden) return;
    const focused = sampleKeyAt(document.activeElement);
    this.#renderCards();
    restoreFocus(focused, (key) => this.#cards.get(key));
  }

  #renderCards() {
    const { scrollTop, clientHeight } = this.#scroller;
    const bottom = scrollTop + clientHeight;
    const margin = MARGIN * clientHeight;
    const { first, end } = samplesBetween(this.#layout, scrollTop - margin, bottom + margin);
    const needed = this.#samples.slice(first, end);
    const keys = new Set(needed.map(({ key }) => key));
    const { cards } = this.#layout;
    // The sizes must be set before cards are made, because a new card asks for its picture.
    needed.forEach(({ key }, position) => this.#rasters.set(key, cards[first + position].raster));
    for (const [key, card] of this.#cards) {
      if (!keys.has(key)) this.#drop(key, card);
    }
    const shown = needed.map((sample, position) => this.#card(sample, first + position));
    putInOrder(
      this.#content,
      shown.map((card) => card.element),
    );
    const visible = samplesBetween(this.#layout, scrollTop, bottom);
    const drawable = (/** @type {number} */ from, /** @type {number} */ to) =>
      this.#samples.slice(from, to).filter((_, position) => cards[from + position].drawable);
    this.listener.onWanted([
      ...drawable(visible.first, visible.end),
      ...drawable(first, visible.first),
      ...drawable(visible.end, end),
    ]);
  }

  /**
   * The card of a sample. A card with the same layout is kept and moved.
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
    card ??= new Card(sample, layout, this.settings, this.listener.onChange);
    card.showShared(this.#shared);
    setBox(card.element, boxOf(this.#layout, at));
    if (made) this.#cards.set(sample.key, card);
    // This also fills a kept card whose picture was loaded while another view was visible.
    if (!card.isPainted) showLoaded(card, this.listener, this.settings);
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
   * The size of a sample's picture; `undefined` if the sample was never near the visible range.
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
    this.#cards.get(key)?.showPicture(picture, this.settings);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    this.#cards.get(key)?.showProblem(problem);
  }

  /**
   * Moves the focus from card to card. If no card is focused, it goes to the first visible one.
   * @param {Command} command
   */
  move(command) {
    const { scrollTop, clientHeight } = this.#scroller;
    const { first, end } = samplesBetween(this.#layout, scrollTop, scrollTop + clientHeight);
    const position = this.#samples.findIndex(({ key }) => key === this.#focused);
    const isFocused = sampleKeyAt(document.activeElement) !== null;
    const stands = isFocused || (position >= first && position < end);
    if (!this.#samples.length) return;
    const { columns } = this.#layout;
    const to = position >= 0 && stands ? neighbour(position, command, columns, this.#samples.length) : first;
    this.focus(this.#samples[to]);
  }

  /**
   * Shows the originals in place of the morphs, on the focused card or on all cards; or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    blinkCards(this.#cards.values(), on);
  }

  /** Opens the focused sample. */
  open() {
    const sample = this.#cards.get(sampleKeyAt(document.activeElement) ?? "")?.sample;
    if (sample) this.listener.onOpen(sample);
  }

  /**
   * Scrolls to the card of a sample and focuses it. If the sample is not shown, it focuses the grid.
   * @param {Sample} sample
   */
  focus({ key }) {
    const position = this.#samples.findIndex((sample) => sample.key === key);
    if (position < 0 || this.hidden) {
      this.#scroller.focus();
      return;
    }
    const { scrollTop, clientHeight } = this.#scroller;
    const { top, height } = boxOf(this.#layout, position);
    if (top < scrollTop || height + 2 * FOCUS_MARGIN > clientHeight) this.#scroller.scrollTop = top - FOCUS_MARGIN;
    else if (top + height > scrollTop + clientHeight) {
      this.#scroller.scrollTop = top + height + FOCUS_MARGIN - clientHeight;
    }
    this.#render();
    this.#cards.get(key)?.element.focus({ preventScroll: true });
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const before = this.settings;
    this.settings = settings;
    this.#showFacts();
    if (updateCards(this.#cards.values(), settings, before)) return;
    const focused = sampleKeyAt(document.activeElement);
    for (const [key, card] of this.#cards) this.#drop(key, card);
    this.#render();
    restoreFocus(focused, (key) => this.#cards.get(key));
  }
}

/**
 * @param {Choices} some
 * @param {Choices} others
 */
function sameChoices(some, others) {
  return some.zoom === others.zoom && some.targets === others.targets && some.choices === others.choices;
}

/**
 * @param {Sample[]} some
 * @param {Sample[]} others
 */
function sameSamples(some, others) {
  if (some === others) return true;
  return (
    some.length === others.length &&
    some.every((sample, position) => sample === others[position] || sample.key === others[position].key)
  );
}
