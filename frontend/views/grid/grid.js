/** The Samples view: a grid of cards. Only the cards near the visible range exist. */

import { neighbour } from "../common/key_commands.js";
import { nextFrame, pause } from "../../data/yielding.js";
import { gridLayout, placesOf, sameLayout, withLead } from "../../layout/grid_layout.js";
import { stricterMode } from "../../layout/scroll_anchor.js";
import { Card, INTERACTIVE, blinkCards, sampleKeyAt, updateCards } from "../card/card.js";
import { formatCounted } from "../../samples/captions.js";
import { sharedCaption, sharedFacts } from "../../samples/shared_facts.js";
import { shownTargets } from "../../state/selectors.js";
import { element, onPixelRatio } from "../common/dom.js";
import { showLoaded } from "../common/sample_view.js";
import { textWidth } from "../common/text_width.js";
import { VirtualList } from "../common/virtual_list.js";

/** @import {Command} from "../common/key_commands.js" */
/** @import {CardLayout, GridOptions, GridLayout} from "../../layout/grid_layout.js" */
/** @import {AnchorMode} from "../../layout/scroll_anchor.js" */
/** @import {State} from "../../state/state.js" */
/** @import {Picture, Sample} from "../../types.js" */
/** @import {DisplaySettings, ViewListener} from "../common/sample_view.js" */

/**
 * The user's choices that affect the layout.
 * @typedef {Pick<GridOptions, "zoom" | "targets" | "choices">} Choices
 */

/** @type {Choices} */
const UNCHOSEN = { zoom: null, targets: "changing", choices: new Map() };

export class Grid {
  #scroller = element("div", { className: "grid", tabIndex: 0, role: "region", ariaLabel: "Samples" });
  /** @type {VirtualList<Sample, Card>} */
  #list = new VirtualList(this.#scroller, {
    keyOf: ({ key }) => key,
    makeRow: (sample, at) => new Card(sample, this.#layout.cards[at], this.settings, this.listener.onChange),
    fits: (card, _, at) => sameLayout(card.layout, this.#layout.cards[at]),
    update: (card) => card.showShared(this.#shared),
  });
  #facts = element("p", { className: "facts-of-all" });
  /** Shows the captures that came while the user looks at the others. */
  #news = element("button", { type: "button", className: "news", hidden: true });
  /** What stands above the cards: what holds for all of them, and the announcement of new ones. */
  head = element("div", { className: "grid-head" });
  element;
  #shared = sharedFacts([]);
  /** @type {Choices} */
  #choices = UNCHOSEN;
  /** @type {GridLayout} */
  #layout = gridLayout([], { ...UNCHOSEN, measure: textWidth, width: 0, ratio: 1 });
  /** Whether cards are made or removed after the next frame. */
  #follows = false;
  /** @type {Map<string, CardLayout>} the layouts of the cards near the visible range, by the sample's key */
  #near = new Map();
  #width = 0;
  #height = 0;
  #ratio = 1;
  /** @type {string | null} the key of the sample that has the focus, or had it last */
  #focused = null;
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
    this.head.append(this.#facts, element("div", { role: "status" }, this.#news));
    this.#scroller.append(this.#list.element);
    this.element = this.#scroller;
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    this.#scroller.addEventListener("focusin", ({ target }) => {
      this.#focused = sampleKeyAt(target) ?? this.#focused;
    });
    this.#scroller.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element) || target.closest(INTERACTIVE)) return;
      this.#open(target);
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
    const before = this.#postponed ?? { samples: this.#held ?? this.#list.items, choices: this.#choices };
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
    const keepColumns = choices.zoom === this.#choices.zoom;
    this.#shared = sharedFacts(samples);
    this.#showFacts();
    this.#choices = choices;
    this.#arrange(samples, anchorMode, keepColumns);
    this.#renderVisible();
  }

  /**
   * Announces new samples beside those that are shown.
   * @param {Sample[]} samples
   * @returns {boolean} false if there is nothing to hold back
   */
  #hold(samples) {
    if (this.hidden || !this.#list.items.length || this.#postponed) return false;
    const known = new Set(this.#list.items);
    const news = samples.reduce((count, sample) => count + (known.has(sample) ? 0 : 1), 0);
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
    if (this.hidden) return;
    // At the top, the empty cells before the first sample are no longer needed.
    if (this.#scroller.scrollTop === 0 && this.#layout.lead) {
      this.#layout = withLead(this.#layout, 0);
      this.#list.show(this.#list.items, placesOf(this.#layout));
      this.#render();
    } else {
      if (this.#list.isFilled) this.#followSoon();
      else this.#renderVisible();
    }
  }

  /** Makes the visible cards at once, and the others near them soon. */
  #renderVisible() {
    if (!this.#render(0)) this.#followSoon();
  }

  /**
   * Makes the cards that came near the visible range one by one, and removes the others one by one, each after a frame.
   * Several in one frame would delay it.
   */
  async #followSoon() {
    if (this.#follows) return;
    this.#follows = true;
    await nextFrame();
    await pause();
    this.#follows = false;
    if (!this.#render(1)) this.#followSoon();
  }

  /** Shows what changed while the view was hidden, and adapts the layout to the size of the window. */
  refresh() {
    if (this.hidden) return;
    if (this.#postponed) this.#show(this.#postponed.samples, this.#postponed.choices, this.#postponed.anchorMode);
    const { clientWidth, clientHeight } = this.#scroller;
    if (clientWidth !== this.#width || clientHeight !== this.#height || window.devicePixelRatio !== this.#ratio) {
      this.#arrange(this.#list.items, "always", false);
    }
    this.#render();
  }

  /**
   * @param {Sample[]} samples
   * @param {AnchorMode} anchorMode
   * @param {boolean} keepColumns
   */
  #arrange(samples, anchorMode, keepColumns) {
    const { columns, lead } = this.#layout;
    this.#width = this.#scroller.clientWidth;
    this.#height = this.#scroller.clientHeight;
    this.#ratio = window.devicePixelRatio;
    const options = { ...this.#choices, measure: textWidth, width: this.#width, height: this.#height, ratio: this.#ratio };
    this.#layout = gridLayout(samples, options);
    const places = (/** @type {number} */ was, /** @type {number} */ now) => {
      if (now >= 0 && keepColumns && columns === this.#layout.columns) {
        this.#layout = withLead(this.#layout, (((was + lead - now) % columns) + columns) % columns);
      }
      return placesOf(this.#layout);
    };
    this.#list.show(samples, places, anchorMode);
  }

  /**
   * @param {number} [most] how many cards outside the visible range are made or removed; the default is all of them
   * @returns {boolean} whether nothing is left to make or to remove
   */
  #render(most) {
    if (this.hidden) return true;
    const isWhole = this.#list.render(most);
    const { items, nearPositions } = this.#list;
    // Also of cards that come with a later frame, so that the pictures of a row come with one request.
    this.#near = new Map(nearPositions.map((position) => [items[position].key, this.#layout.cards[position]]));
    // Pictures of cards that come back, or that were loaded while another view was visible. They need their size.
    for (const card of this.#list.rows) if (!card.isPainted) showLoaded(card, this.listener, this.settings);
    const drawable = nearPositions.filter((position) => this.#layout.cards[position].drawable);
    this.listener.onWanted(drawable.map((position) => items[position]));
    return isWhole;
  }

  /** @param {Sample} sample */
  rasterOf({ key }) {
    return this.#near.get(key)?.raster;
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   */
  showPicture({ key }, picture) {
    this.#list.row(key)?.showPicture(picture, this.settings);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    this.#list.row(key)?.showProblem(problem);
  }

  /**
   * Moves the focus from card to card. If no card is focused, it goes to the first visible one.
   * @param {Command} command
   */
  move(command) {
    const { items } = this.#list;
    const position = items.findIndex(({ key }) => key === this.#focused);
    const stands = this.#list.focusedPosition >= 0 || this.#list.isVisible(position);
    if (!items.length) return;
    const to = position >= 0 && stands ? neighbour(position, command, this.#layout.columns, items.length) : this.#list.firstVisible;
    this.focus(items[to]);
  }

  /**
   * Shows the originals in place of the morphs, on the focused card or on all cards; or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    blinkCards(this.#list.rows, on);
  }

  /** Opens the focused sample. */
  open() {
    this.#open(document.activeElement);
  }

  /** @param {EventTarget | null} target */
  #open(target) {
    const card = this.#list.row(sampleKeyAt(target) ?? "");
    if (card) this.listener.onOpen(card.sample);
  }

  /**
   * Scrolls to the card of a sample and focuses it. If the sample is not shown, it focuses the grid.
   * @param {Sample} sample
   */
  focus({ key }) {
    const position = this.#list.items.findIndex((sample) => sample.key === key);
    if (position < 0 || this.hidden) this.#scroller.focus();
    else this.#list.focus(position, (card) => card.element);
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const before = this.settings;
    this.settings = settings;
    this.#showFacts();
    if (updateCards(this.#list.rows, settings, before)) return;
    this.#list.clear();
    this.#render();
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
