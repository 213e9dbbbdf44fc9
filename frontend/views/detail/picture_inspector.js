/** The large pictures of a sample, and the values of the pixel under the pointer or the cursor. */

import { changeCaption, className, formatDecimals, formatPrecise, gainCaption } from "../../samples/captions.js";
import { shownPosition } from "../../samples/morphs.js";
import { readoutAt } from "../../samples/pixel_readout.js";
import { element } from "../common/dom.js";
import { paintPanel } from "../common/panel_canvas.js";
import { shownStrength } from "../common/sample_view.js";
import { Wipe } from "./wipe.js";

/** @import {Arrays} from "../../samples/sample_arrays.js" */
/** @import {Values} from "../../samples/pixel_readout.js" */
/** @import {Picture, Sample} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {PanelContent} from "../common/panel_canvas.js" */

/** Distances of style/dialog.css and style/detail.css, in CSS pixels. */
const WIDEST_DIALOG = 1840;
const DIALOG_MARGIN = 32;
/** The edges of the dialog, its padding and its scroll bar. */
const DIALOG_EDGES = 2 + 2 * 16 + 16;
const GAP = 16;
const GAPS_OF_FOUR = 3 * GAP;
/** Everything above and below the pictures: the title, the strength, the captions, the answers, and the captures. */
const AROUND = 532;
/** In a low window the dialog scrolls, so that the pictures stay large. */
const LEAST_HEIGHT = 240;
/** The distance of the values from the pointer. */
const READOUT_GAP = 16;
/** If four pictures in a row are smaller, two stand in a row. */
const LEAST_OF_FOUR = 160;
const LEAST_SIDE = 84;
const SIGNAL_WIDTH = 360;
const SIGNAL_HEIGHT = 120;
const HIGHEST_SIGNAL = 480;
const ROW_HEIGHT = 30;
/** How many pixels the cursor moves if Shift is pressed. */
const LEAP = 10;

/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @typedef {object} Shown a picture
 * @property {PanelContent} content
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} frame
 * @property {HTMLElement} marker shows the cursor
 * @property {HTMLElement} caption
 * @property {Wipe | null} wipe of a morph
 */

export class PictureInspector {
  /** @type {Shown[]} */
  #shown = [];
  #heads = element("thead", {}, element("tr", {}, ...["", "model units", "display units"].map(head)));
  #readout = element("tbody");
  #where = element("caption");
  /** @type {{x: number, y: number} | null} */
  #cursor = null;
  /** @type {{arrays: Arrays, picture: Picture} | null} */
  #loaded = null;
  /** The largest size of a picture, in CSS pixels. It stays the same until the sample is shown again. */
  #room;
  /** The position of the target whose values are shown. */
  #target = 0;
  original;
  /** @type {HTMLElement[][]} for each target its gradient and, if an ascent was made, its morph and the change */
  ofTargets;
  /** The values of all pictures at one pixel. */
  readout = element(
    "div",
    { className: "readout", ariaLive: "polite", hidden: true },
    element("table", {}, this.#where, this.#heads, this.#readout),
  );

  /**
   * @param {Sample} sample
   * @param {DisplaySettings} settings
   */
  constructor(sample, settings) {
    this.sample = sample;
    this.settings = settings;
    const [, ...sides] = sample.shape;
    this.width = sides[sides.length - 1];
    this.height = sides.length > 1 ? sides[0] : 1;
    this.#room = roomForPicture();
    const names = sample.session.class_names;
    this.original = this.#figure({ kind: "original" }, "original");
    this.ofTargets = sample.targets.map((target, position) => {
      const name = className(names, target.index);
      const gradient = this.#figure({ kind: "gradient", position }, `gradient → ${name}`);
      const morph = shownPosition(target, settings.morph);
      if (morph < 0) return [gradient];
      const kind = settings.morphKinds.length > 1 ? `: ${target.morphs[morph].name}` : "";
      return [
        gradient,
        this.#figure({ kind: "morph", position, morph }, `morph → ${name}${kind}`),
        this.#figure({ kind: "change", position, morph }, `change → ${name}${kind}`),
      ];
    });
    this.#showReadout();
  }

  /**
   * @param {PanelContent} content
   * @param {string} words
   */
  #figure(content, words) {
    const canvas = element("canvas", {});
    const marker = element("span", { className: "marker", hidden: true });
    const frame = element(
      "div",
      { className: "picture", tabIndex: 0, role: "application", ariaLabel: `${words}: the arrow keys read its pixels` },
      canvas,
      marker,
    );
    frame.dataset.part = content.kind === "original" ? "original" : `${content.kind}-${content.position}`;
    Object.assign(frame.style, { width: `${this.#size().width}px`, height: `${this.#size().height}px` });
    const isCrisp = Number.isInteger(this.#size().width / this.width);
    canvas.classList.toggle("crisp", isCrisp);
    const wipe = content.kind === "morph" ? new Wipe(frame, isCrisp) : null;
    frame.addEventListener("pointermove", (event) => this.#point(frame, event));
    frame.addEventListener("pointerleave", () => this.#leave());
    frame.addEventListener("blur", () => this.#leave());
    frame.addEventListener("keydown", (event) => this.#move(event));
    frame.addEventListener("focus", () => {
      if (!frame.matches(":focus-visible")) return;
      if (!this.#cursor) this.#setCursor(Math.floor(this.width / 2), Math.floor(this.height / 2));
      this.#placeAtCursor(frame);
    });
    const caption = element("figcaption", { title: words }, words);
    this.#shown.push({ content, canvas, frame, marker, caption, wipe });
    return element("figure", {}, frame, caption, ...(wipe ? [wipe.element] : []));
  }

  /**
   * The size of a picture in CSS pixels. The original and the pictures of a target fill a row of the dialog. A small
   * image is enlarged by a whole number, so that all its pixels have the same size.
   */
  #size() {
    if (this.sample.shape.length === 2) {
      return {
        width: SIGNAL_WIDTH,
        height: Math.min(Math.max(SIGNAL_HEIGHT, ROW_HEIGHT * this.sample.shape[0]), HIGHEST_SIGNAL),
      };
    }
    const { width, height } = this.#room;
    const largest = Math.min(width / this.width, height / this.height);
    const zoom = largest < 2 ? largest : Math.floor(largest);
    return { width: zoom * this.width, height: zoom * this.height };
  }

  /**
   * @param {HTMLElement} frame
   * @param {PointerEvent} event
   */
  #point(frame, { clientX, clientY }) {
    const { left, top, width, height } = frame.getBoundingClientRect();
    const x = Math.floor(((clientX - left) / width) * this.width);
    const y = Math.floor(((clientY - top) / height) * this.height);
    this.#setCursor(x, y);
    this.#placeReadout(clientX, clientY);
  }

  /** Hides the values and the marker when neither the pointer nor the focus is on a picture. */
  #leave() {
    if (this.#shown.some(({ frame }) => frame === document.activeElement)) return;
    this.#cursor = null;
    for (const { marker } of this.#shown) marker.hidden = true;
    this.#showReadout();
  }

  /**
   * Puts the values beside a point of the window, and inside the window.
   * @param {number} x
   * @param {number} y
   */
  #placeReadout(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.readout;
    const left = x + READOUT_GAP + width > window.innerWidth ? x - READOUT_GAP - width : x + READOUT_GAP;
    const top = Math.min(y + READOUT_GAP, window.innerHeight - height - READOUT_GAP);
    Object.assign(this.readout.style, { left: `${Math.max(left, 0)}px`, top: `${Math.max(top, 0)}px` });
  }

  /** @param {number} position of the target whose values are shown */
  showTarget(position) {
    this.#target = position;
    this.#showReadout();
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const move = Object.hasOwn(MOVES, event.key) ? MOVES[event.key] : null;
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { x, y } = this.#cursor ?? { x: 0, y: 0 };
    const far = event.shiftKey ? LEAP : 1;
    this.#setCursor(x + far * move[0], y + far * move[1]);
    this.#placeAtCursor(event.currentTarget);
  }

  /** @param {EventTarget | null} frame */
  #placeAtCursor(frame) {
    if (!(frame instanceof HTMLElement) || !this.#cursor) return;
    const { left, top, width, height } = frame.getBoundingClientRect();
    const { x, y } = this.#cursor;
    this.#placeReadout(left + ((x + 1) / this.width) * width, top + ((y + 1) / this.height) * height);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #setCursor(x, y) {
    const within = (/** @type {number} */ at, /** @type {number} */ side) => Math.min(Math.max(at, 0), side - 1);
    const cursor = { x: within(x, this.width), y: within(y, this.height) };
    if (cursor.x === this.#cursor?.x && cursor.y === this.#cursor.y) return;
    this.#cursor = cursor;
    for (const { marker } of this.#shown) {
      marker.hidden = false;
      Object.assign(marker.style, {
        left: `${(100 * cursor.x) / this.width}%`,
        top: `${(100 * cursor.y) / this.height}%`,
        width: `${100 / this.width}%`,
        height: `${100 / this.height}%`,
      });
    }
    this.#showReadout();
  }

  /**
   * @param {Arrays} arrays
   * @param {Picture} picture
   */
  showArrays(arrays, picture) {
    this.#loaded = { arrays, picture };
    this.#paint(this.#shown);
    for (const { content, caption, wipe } of this.#shown) {
      if (wipe) paintPanel(wipe.canvas, picture, { kind: "original" }, this.#size(), { ...this.settings, strength: 0 });
      if (content.kind !== "change") continue;
      const change = picture.targets[content.position].morphs[content.morph];
      const { long } = changeCaption(change, this.sample.shape);
      caption.append(` ${gainCaption(change)}`);
      caption.title = `The morph ${long}. The change is painted ${gainCaption(change)}.`;
    }
    this.#showReadout();
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    const { theme, gradientColors, scaleEnd } = this.settings;
    const sameColours =
      settings.theme === theme && settings.gradientColors === gradientColors && settings.scaleEnd === scaleEnd;
    this.settings = settings;
    this.#paint(sameColours ? this.#shown.filter(({ content }) => content.kind === "morph") : this.#shown);
    this.#showReadout();
  }

  /**
   * Shows the original in place of the morphs, or the morphs again.
   * @param {boolean} on
   */
  blink(on) {
    for (const { wipe } of this.#shown) wipe?.blink(on);
  }

  /** @param {PanelContent} content */
  #strengthOf(content) {
    const target = content.kind === "original" ? undefined : this.sample.targets[content.position];
    return shownStrength(this.settings, this.sample, target);
  }

  /** @param {Shown[]} shown */
  #paint(shown) {
    if (!this.#loaded) return;
    for (const { canvas, content, frame } of shown) {
      const strength = this.#strengthOf(content);
      paintPanel(canvas, this.#loaded.picture, content, this.#size(), { ...this.settings, strength });
      frame.dataset.painted = formatDecimals(strength);
    }
  }

  #showReadout() {
    this.readout.hidden = !this.#loaded || !this.#cursor;
    if (!this.#loaded || !this.#cursor) return;
    const { x, y } = this.#cursor;
    const { sample, settings } = this;
    const shown = sample.targets.map((target) => ({
      morph: shownPosition(target, settings.morph),
      strength: shownStrength(settings, sample, target),
    }));
    const { image, targets } = readoutAt(sample, this.#loaded.arrays, x, y, shown);
    this.#where.textContent = sample.shape.length === 2 ? `at ${x}` : `at column ${x}, row ${y}`;
    this.#readout.replaceChildren(
      valuesRow("original", image),
      ...targets.slice(this.#target, this.#target + 1).flatMap(({ target, gradient, delta, morph }) => {
        const name = className(sample.session.class_names, target);
        const rows = [valuesRow(`gradient → ${name}`, gradient)];
        if (delta && morph) rows.push(valuesRow(`delta → ${name}`, delta), valuesRow(`morph → ${name}`, morph));
        return rows;
      }),
    );
  }
}

/** The largest size of a picture in the dialog, in CSS pixels. */
function roomForPicture() {
  const width = Math.min(window.innerWidth - DIALOG_MARGIN, WIDEST_DIALOG) - DIALOG_EDGES;
  const ofFour = Math.floor((width - GAPS_OF_FOUR) / 4);
  const side = ofFour >= LEAST_OF_FOUR ? ofFour : Math.floor((width - GAP) / 2);
  return {
    width: Math.max(side, LEAST_SIDE),
    height: Math.max(window.innerHeight - DIALOG_MARGIN - AROUND, LEAST_HEIGHT),
  };
}

/** @param {string} words */
function head(words) {
  return words ? element("th", { scope: "col" }, words) : element("td");
}

/**
 * @param {string} name
 * @param {Values} values
 */
function valuesRow(name, { model, display }) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    element("td", {}, model.map(formatPrecise).join(", ")),
    element("td", {}, display ? display.map(formatPrecise).join(", ") : "no mean and std"),
  );
}
