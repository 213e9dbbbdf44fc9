/** The Follow view: the same samples through the training, one filmstrip for each, below the line of its margin. */

import { formatCounted, labelCaption } from "../../samples/captions.js";
import {
  HEAD_WIDTH,
  FRAME_WIDTH,
  columnsWithin,
  placesOfStrips,
  targetOfFrame,
} from "../../layout/filmstrip_layout.js";
import { HISTORY_ORDERS, historiesOf, sharedSteps, sortedHistories } from "../../samples/history.js";
import { rasterOf } from "../../layout/grid_layout.js";
import { shownPosition } from "../../samples/morphs.js";
import { filtersInUse, morphInUse, runColour } from "../../state/selectors.js";
import { stricterMode } from "../../layout/scroll_anchor.js";
import { element, setBox } from "../common/dom.js";
import { select } from "../common/form_fields.js";
import { FilmstripFrame } from "./filmstrip_frame.js";
import { smallestFlipDistance } from "../../samples/flip_distances.js";
import { signedMargin } from "../../samples/signed_margin.js";
import { note } from "../common/messages.js";
import { runName } from "../common/run_name.js";
import { THUMBNAIL, paintThumbnail, thumbnail } from "../common/panel_canvas.js";
import { showLoaded } from "../common/sample_view.js";
import { VirtualList } from "../common/virtual_list.js";

/** @import {Lines} from "./filmstrip_frame.js" */
/** @import {History, HistoryOrder} from "../../samples/history.js" */
/** @import {Command} from "../common/key_commands.js" */
/** @import {State} from "../../state/state.js" */
/** @import {AnchorMode} from "../../layout/scroll_anchor.js" */
/** @import {Picture, Raster, Sample} from "../../types.js" */
/** @import {DisplaySettings, ViewListener} from "../common/sample_view.js" */
/** @import {PanelContent} from "../common/panel_canvas.js" */

/** How far left and right of the visible range frames exist, in screen widths. */
const MARGIN = 0.5;
/** How long each step is shown while the steps play, in milliseconds. */
const STEP_MS = 500;
const NOTHING = `None of the samples was captured at more than one step. Give the hook ids:
hook(inputs, logits, labels, ids=names). Or probe fixed samples: hook.probe(inputs, labels). If filters are active, remove some.`;
const ONE_STEP = `One step is chosen, and this view shows how samples change from step to step. Choose “All steps” in the
left pane.`;

/**
 * @typedef {object} Row
 * @property {History} history
 * @property {HTMLElement} element
 * @property {HTMLElement} dot shows the run's colour
 * @property {HTMLCanvasElement} original
 * @property {Lines} lines
 * @property {Map<number, FilmstripFrame>} frames those near the visible range, by the position of the capture
 */

export class Follow {
  /** @type {number[]} the shared axis, ascending */
  #steps = [];
  /** @type {Map<number, number>} the column of each step */
  #columns = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #playing;
  #order;
  #play = element("button", { type: "button", className: "play-steps" });
  /**
   * @type {{samples: Sample[], frames: State["frames"], target: number | null, morph: string, order: HistoryOrder,
   *   atStep: boolean} | null}
   */
  #shown = null;
  /** @type {unknown} the value of `#shown` that belongs to the present histories */
  #arranged = null;
  /** @type {AnchorMode} the mode for all changes since the last layout */
  #anchorMode = "always";
  /** @type {(run: string) => string} */
  #colourOf = () => "";
  #scroller = element("div", { className: "strips", tabIndex: 0, role: "region", ariaLabel: "Samples through training" });
  /** @type {VirtualList<History, Row>} */
  #list = new VirtualList(this.#scroller, {
    keyOf: ({ key }) => key,
    makeRow: (history) => this.#makeRow(history),
    update: (row) => this.#updateRow(row),
  });
  #frames;
  #count = element("p", { role: "status" });
  #nothing = note(NOTHING);
  /** What stands above the rows: how they are sorted, and what they show. */
  head = element("div", { className: "view-tools" });
  element;

  /**
   * @param {DisplaySettings} settings
   * @param {ViewListener} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    const choose = (/** @type {string} */ choice) =>
      listener.onChange((state) => ({ ...state, frames: choice === "morph" ? "morph" : "gradient" }));
    this.#frames = select("frames", choose, [
      ["gradient", "each step: the gradient"],
      ["morph", "each step: the morph, at the chosen strength"],
    ]);
    this.#frames.ariaLabel = "Each step shows";
    this.#order = select(
      "history-order",
      (order) => listener.onChange((state) => ({ ...state, historyOrder: /** @type {HistoryOrder} */ (order) })),
      Object.entries(HISTORY_ORDERS),
    );
    this.#order.ariaLabel = "Order of the samples";
    this.#play.addEventListener("click", () => this.#togglePlay());
    this.#showPlaying();
    const key = element(
      "p",
      { className: "follow-key" },
      element("span", { className: "key margin" }),
      "signed margin, −1 to 1",
      element("span", { className: "key distance" }),
      "flip distance",
    );
    key.title = "The signed margin is the probability of the label minus that of the most probable other class.";
    this.head.append(this.#play, this.#order, this.#frames, key, this.#count);
    this.element = element("section", { className: "follow" }, this.#nothing, this.#scroller);
    this.#scroller.style.scrollPaddingLeft = `${HEAD_WIDTH}px`;
    this.#scroller.append(this.#list.element);
    this.#scroller.addEventListener("scroll", () => this.#render());
    this.#scroller.addEventListener("click", ({ target }) => this.#open(target));
    new ResizeObserver(() => this.refresh()).observe(this.#scroller);
  }

  /**
   * @param {State} state
   * @param {Sample[]} samples filtered and sorted
   * @param {AnchorMode} [anchorMode]
   */
  show(state, samples, anchorMode = "always") {
    this.#frames.value = state.frames;
    this.#order.value = state.historyOrder;
    const { frames, target, historyOrder: order } = state;
    const before = this.#shown;
    const morph = morphInUse(state);
    const same =
      before?.samples === samples &&
      before.frames === frames &&
      before.order === order &&
      before.target === target &&
      (before.morph === morph || frames !== "morph");
    const { steps } = filtersInUse(state);
    if (!same) this.#shown = { samples, frames, target, morph, order, atStep: steps !== null && "at" in steps };
    this.#anchorMode = stricterMode(anchorMode, this.#anchorMode);
    this.#colourOf = (run) => runColour(state, run);
    for (const { history, dot } of this.#list.rows) dot.style.background = this.#colourOf(history.run);
    // A hidden view is not laid out: that would take long with many samples.
    if (!this.hidden && this.#arranged !== this.#shown) this.refresh();
  }

  /** Whether another view or another tab of TensorBoard is visible. */
  get hidden() {
    return this.element.hidden || window.innerHeight === 0;
  }

  /** Shows what changed while the view was hidden, and adapts the layout to the size of the window. */
  refresh() {
    if (this.hidden) return;
    if (this.#arranged !== this.#shown) this.#arrange();
    this.#render();
  }

  #arrange() {
    this.#arranged = this.#shown;
    const { scrollLeft, clientWidth, scrollWidth } = this.#scroller;
    const focused = this.#focused();
    const first = this.#list.items[this.#list.firstVisible];
    const seen = focused?.sample ?? first?.samples[this.#positionFrom(first, columnsWithin(scrollLeft, 1).first)];
    const fromLeft = seen && (focused || scrollLeft) ? scrollLeft - this.#columnOf(seen) * FRAME_WIDTH : null;
    // The view opens at the newest step, and stays there while older and newer steps come in.
    const isAtEnd = !focused && scrollLeft + clientWidth >= scrollWidth - 1;
    const histories = sortedHistories(historiesOf(this.#shown?.samples ?? []), this.#shown?.order ?? "samples");
    this.#steps = sharedSteps(histories);
    this.#columns = new Map(this.#steps.map((step, column) => [step, column]));
    const count = histories.length;
    this.#nothing.hidden = count > 0;
    this.#nothing.textContent = this.#shown?.atStep ? ONE_STEP : NOTHING;
    this.#scroller.hidden = !count;
    this.#count.textContent = count ? `${formatCounted(count, "sample")} captured at several steps` : "";
    this.#list.clear();
    this.#list.show(histories, placesOfStrips(count, this.#steps.length), this.#anchorMode);
    if (isAtEnd) this.#scroller.scrollLeft = this.#scroller.scrollWidth;
    else if (fromLeft !== null && this.#anchorMode !== "never" && this.#columns.has(seen.step)) {
      this.#scroller.scrollLeft = this.#columnOf(seen) * FRAME_WIDTH + fromLeft;
    }
    this.#anchorMode = "always";
  }

  /** @param {Sample} sample */
  #columnOf({ step }) {
    return this.#columns.get(step) ?? 0;
  }

  /**
   * The position of the first capture that is not before a column; the last capture if all are before it.
   * @param {History} history
   * @param {number} column
   */
  #positionFrom({ samples, count }, column) {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#columnOf(samples[middle]) < column) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Plays the steps: one after the other appears at the same place, beside the heads of the rows. */
  #togglePlay() {
    if (this.#playing) {
      this.#stop();
      return;
    }
    const last = this.#steps.length - 1;
    const first = Math.round(this.#scroller.scrollLeft / FRAME_WIDTH);
    const isAtEnd = this.#scroller.scrollLeft + this.#scroller.clientWidth >= this.#scroller.scrollWidth - 1;
    let column = isAtEnd ? 0 : first;
    // The last step can reach the place beside the heads only if there is room behind it.
    setBox(this.#list.element, { width: last * FRAME_WIDTH + this.#scroller.clientWidth });
    this.#scroller.scrollLeft = column * FRAME_WIDTH;
    this.#playing = setInterval(() => {
      if (this.hidden || column >= last) this.#stop();
      else this.#scroller.scrollLeft = ++column * FRAME_WIDTH;
    }, STEP_MS);
    this.#showPlaying();
  }

  #stop() {
    clearInterval(this.#playing);
    this.#playing = undefined;
    setBox(this.#list.element, placesOfStrips(this.#list.items.length, this.#steps.length).size);
    this.#showPlaying();
  }

  #showPlaying() {
    this.#play.textContent = this.#playing ? "❚❚ steps" : "▶ steps";
    this.#play.ariaLabel = this.#playing ? "Pause the steps" : "Play the steps";
    this.#play.title = "Shows one step after the other at the same place";
  }

  #render() {
    if (this.hidden) return;
    this.#list.render();
    this.listener.onWanted(
      this.#list.rows.flatMap(({ history, frames }) => [
        history.samples[0],
        ...[...frames.values()].map(({ sample }) => sample),
      ]),
    );
  }

  /**
   * Makes the frames that came near the visible range, and removes those that left it.
   * @param {Row} row
   */
  #updateRow({ history, element: node, frames, original, lines }) {
    const { scrollLeft, clientWidth } = this.#scroller;
    const margin = MARGIN * clientWidth;
    const { first, end } = columnsWithin(scrollLeft - margin, clientWidth + 2 * margin);
    const isNear = (/** @type {number} */ position) => lines.columns[position] >= first && lines.columns[position] < end;
    for (const [position, frame] of frames) {
      if (isNear(position)) continue;
      frame.element.remove();
      frames.delete(position);
    }
    for (let position = this.#positionFrom(history, first); position < history.count && isNear(position); position++) {
      const sample = history.samples[position];
      const frame =
        frames.get(position) ?? new FilmstripFrame(history.samples, position, this.#contentOf(sample), lines);
      if (!frames.has(position)) node.append(frame.element);
      frames.set(position, frame);
      // This also fills a kept frame whose picture was loaded while another view was visible.
      if (!frame.isPainted) showLoaded(frame, this.listener, this.settings);
    }
    this.#paintOriginal(history, original);
  }

  /**
   * @param {History} history
   * @returns {Lines}
   */
  #linesOf({ samples }) {
    const distances = samples.map(smallestFlipDistance);
    return {
      columns: samples.map((sample) => this.#columnOf(sample)),
      margins: samples.map(signedMargin),
      distances,
      farthest: distances.reduce((/** @type {number} */ most, distance) => Math.max(most, distance ?? 0), 0),
    };
  }

  /**
   * @param {History} history
   * @param {HTMLCanvasElement} original
   */
  #paintOriginal(history, original) {
    const known = this.listener.picture(history.samples[0]);
    if (known) paintThumbnail(original, known, { kind: "original" }, this.settings);
  }

  /**
   * @param {Sample} sample
   * @returns {PanelContent}
   */
  #contentOf(sample) {
    const isMorph = this.#shown?.frames === "morph";
    const position = targetOfFrame(sample, this.#shown?.target ?? null, isMorph);
    if (position < 0) return { kind: "original" };
    const morph = shownPosition(sample.targets[position], this.#shown?.morph ?? "");
    if (!isMorph || morph < 0) return { kind: "gradient", position };
    return { kind: "morph", position, morph };
  }

  /**
   * @param {History} history
   * @returns {Row}
   */
  #makeRow(history) {
    const { run, id, samples, count, changesOfMind } = history;
    const original = thumbnail();
    const dot = element("span", { className: "run-colour" });
    dot.style.background = this.#colourOf(run);
    const head = element(
      "div",
      { className: "strip-head" },
      original,
      element(
        "div",
        {},
        element("strong", { title: id }, id),
        element("span", {}, labelCaption(samples[0])),
        element("span", { className: "of-run" }, dot, runName(run, this.settings.runStart)),
        element("span", {}, formatCounted(count, "capture")),
        element("span", {}, changesOfMind ? `changed ${formatCounted(changesOfMind, "time")}` : "never changed"),
      ),
    );
    head.style.width = `${HEAD_WIDTH}px`;
    const node = element("div", { className: "strip" }, head);
    node.dataset.history = id;
    return { history, element: node, dot, original, lines: this.#linesOf(history), frames: new Map() };
  }

  /**
   * @param {Sample} sample
   * @returns {Raster | undefined} the size at which its frame is painted; `undefined` if the view is hidden
   */
  rasterOf({ shape }) {
    if (this.hidden) return undefined;
    const [, ...sides] = shape;
    return rasterOf(shape, THUMBNAIL / Math.max(...sides), window.devicePixelRatio).raster;
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   */
  showPicture({ key }, picture) {
    if (this.hidden) return;
    for (const { history, original, frames } of this.#list.rows) {
      if (history.samples[0].key === key) paintThumbnail(original, picture, { kind: "original" }, this.settings);
      for (const frame of frames.values()) if (frame.sample.key === key) frame.showPicture(picture, this.settings);
    }
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    for (const { frames } of this.#list.rows) {
      for (const frame of frames.values()) if (frame.sample.key === key) frame.showProblem(problem);
    }
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const before = this.settings;
    this.settings = settings;
    const colourFields = /** @type {const} */ (["theme", "gradientColors", "scaleEnd"]);
    const sameColours = colourFields.every((field) => settings[field] === before[field]);
    for (const { history, original, frames } of this.#list.rows) {
      if (!sameColours) this.#paintOriginal(history, original);
      for (const frame of frames.values()) {
        if (!sameColours || frame.content.kind === "morph") frame.showSettings(settings);
      }
    }
  }

  /**
   * Shows the originals in place of the morphs, or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    for (const { frames } of this.#list.rows) for (const frame of frames.values()) frame.blink(on, this.settings);
  }

  /** @param {EventTarget | null} target */
  #open(target) {
    const node = target instanceof Element ? target.closest(".frame") : null;
    const key = node instanceof HTMLElement ? node.dataset.sample : undefined;
    const sample = this.#shown?.samples.find((one) => one.key === key);
    if (sample) this.listener.onOpen(sample);
  }

  /** Opens the focused frame. */
  open() {
    this.#open(document.activeElement);
  }

  /**
   * Moves the focus from frame to frame. If no frame is focused, it goes to the first visible one.
   * @param {Command} command
   */
  move(command) {
    const { items } = this.#list;
    if (!items.length) return;
    const focused = this.#focused();
    if (!focused) {
      const row = this.#list.firstVisible;
      this.#focus(row, this.#positionFrom(items[row], columnsWithin(this.#scroller.scrollLeft, 1).first));
      return;
    }
    const { history, position, sample } = focused;
    const row = items.indexOf(history);
    if (command === "up" || command === "down") {
      const to = Math.min(Math.max(row + (command === "up" ? -1 : 1), 0), items.length - 1);
      this.#focus(to, this.#positionFrom(items[to], this.#columnOf(sample)));
      return;
    }
    const ends = { first: 0, last: history.count - 1 };
    const across = command === "left" ? position - 1 : command === "right" ? position + 1 : position;
    this.#focus(row, command === "first" || command === "last" ? ends[command] : across);
  }

  /**
   * Scrolls to the frame of a sample and focuses it. If the sample is not shown, it focuses the view.
   * @param {Sample} sample
   */
  focus({ key, run, id }) {
    const { items } = this.#list;
    const row = items.findIndex((history) => history.run === run && history.id === id);
    const column = row < 0 ? -1 : items[row].samples.findIndex((sample) => sample.key === key);
    if (column < 0 || this.hidden) this.#scroller.focus();
    else this.#focus(row, column);
  }

  /** The focused frame. */
  #focused() {
    for (const { history, frames } of this.#list.rows) {
      for (const [position, { element: node, sample }] of frames) {
        if (node === document.activeElement) return { history, position, sample };
      }
    }
    return null;
  }

  /**
   * @param {number} row
   * @param {number} position of the capture in its history
   */
  #focus(row, position) {
    const history = this.#list.items[row];
    const to = Math.min(Math.max(position, 0), history.count - 1);
    const [node, left] = [this.#scroller, this.#columnOf(history.samples[to]) * FRAME_WIDTH];
    // A frame exists only near the visible range.
    node.scrollLeft = Math.min(Math.max(node.scrollLeft, left + HEAD_WIDTH + FRAME_WIDTH - node.clientWidth), left);
    this.#list.focus(row, ({ frames }) => frames.get(to)?.element);
    this.#render();
  }
}
