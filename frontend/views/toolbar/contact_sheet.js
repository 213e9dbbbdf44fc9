/** Paints a contact sheet on a canvas: the pictures of many samples with their captions. */

import { className, formatDecimals, formatPart, gainCaption, sampleCaption } from "../../samples/captions.js";
import { HEADING, PADDING, TITLE, panelSize, panelsOf, sheetOf } from "../../layout/contact_sheet_layout.js";
import { makePicture } from "../../drawing/picture.js";
import { shownPosition } from "../../samples/morphs.js";
import { strengthOf } from "../../state/selectors.js";
import { element } from "../common/dom.js";
import { paintPanel } from "../common/panel_canvas.js";

/** @import {Arrays} from "../../samples/sample_arrays.js" */
/** @import {Picture, Sample} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {PanelContent} from "../common/panel_canvas.js" */

const FONT = "Roboto, sans-serif";

export class ContactSheetPainter {
  #panel = element("canvas");
  #context;
  canvas;

  /**
   * @param {Sample[]} samples the sheet shows the first of them, as many as fit
   * @param {DisplaySettings} settings
   */
  constructor(samples, settings) {
    this.settings = settings;
    this.sheet = sheetOf(samples);
    const { width, tops } = this.sheet;
    const height = tops[tops.length - 1];
    this.canvas = element("canvas", { width, height });
    const context = this.canvas.getContext("2d");
    if (!context) throw new Error("this browser cannot draw on a canvas");
    const style = getComputedStyle(document.documentElement);
    this.text = style.getPropertyValue("--text");
    this.secondary = style.getPropertyValue("--secondary");
    context.fillStyle = style.getPropertyValue("--panel");
    context.fillRect(0, 0, width, height);
    context.textBaseline = "top";
    this.#context = context;
  }

  /**
   * @param {Sample} sample
   * @param {number} position its position on the sheet
   * @param {Arrays | null} arrays `null` if they are damaged or missing
   */
  paint(sample, position, arrays) {
    const { columns, cellWidth, tops } = this.sheet;
    const left = (position % columns) * cellWidth + PADDING;
    const top = tops[Math.floor(position / columns)] + PADDING;
    const width = cellWidth - 2 * PADDING;
    this.#write(
      sampleCaption(sample),
      left,
      top,
      width,
      `500 13px ${FONT}`,
      this.text,
    );
    const { run, step, id } = sample;
    const meta = [run, `step ${step}`, `margin ${formatDecimals(sample.margin)}`, ...(id === null ? [] : [id])];
    const bottom = top + TITLE + HEADING + panelSize(sample).height + 4;
    this.#write(meta.join(" · "), left, bottom, width, `11px ${FONT}`, this.secondary);
    if (!arrays) {
      this.#write("The arrays are damaged or missing.", left, top + TITLE, width, `11px ${FONT}`, this.secondary);
      return;
    }
    const picture = makePicture(sample, arrays);
    contentsOf(sample, this.settings, picture).forEach(({ content, words, strength }, at) => {
      const size = panelSize(sample);
      paintPanel(this.#panel, picture, content, size, { ...this.settings, strength });
      this.#panelAt(size, words, left + panelsOf(sample).lefts[at], top + TITLE);
    });
  }

  /**
   * @param {{width: number, height: number}} size
   * @param {string} words
   * @param {number} left
   * @param {number} top
   */
  #panelAt({ width, height }, words, left, top) {
    this.#write(words, left, top, width, `11px ${FONT}`, this.secondary);
    this.#context.imageSmoothingEnabled = width < this.#panel.width;
    this.#context.drawImage(this.#panel, left, top + HEADING, width, height);
  }

  /**
   * @param {string} text
   * @param {number} left
   * @param {number} top
   * @param {number} width the text is cut to this width
   * @param {string} font
   * @param {string} colour
   */
  #write(text, left, top, width, font, colour) {
    const context = this.#context;
    context.font = font;
    context.fillStyle = colour;
    let shown = text;
    for (let length = text.length; length > 0 && context.measureText(shown).width > width; length--) {
      shown = `${text.slice(0, length - 1)}…`;
    }
    context.fillText(shown, left, top);
  }

  /** @returns {Promise<Blob>} */
  png() {
    return new Promise((resolve, reject) => {
      this.canvas.toBlob(
        (blob) =>
          blob ? resolve(blob) : reject(new Error("the picture is too large for this browser. Select fewer samples.")),
        "image/png",
      );
    });
  }
}

/**
 * @param {Sample} sample
 * @param {DisplaySettings} settings
 * @param {Picture} picture
 * @returns {{content: PanelContent, words: string, strength: number}[]}
 */
function contentsOf(sample, settings, picture) {
  return [
    { content: { kind: "original" }, words: "original", strength: 0 },
    ...sample.targets.flatMap((target, position) => {
      const name = className(sample.session.class_names, target.index);
      const strength = strengthOf(settings, sample, target);
      const morph = shownPosition(target, settings.morph);
      /** @type {PanelContent[]} */
      const contents = [{ kind: "gradient", position }];
      if (morph >= 0) contents.push({ kind: "morph", position, morph }, { kind: "change", position, morph });
      return contents.map((content) => {
        if (content.kind === "change") {
          return { content, words: `change ${gainCaption(picture.targets[position].morphs[morph])}`, strength };
        }
        const at = content.kind === "morph" ? `, ${formatPart(strength)} of it` : "";
        return { content, words: `${content.kind} → ${name}${at}`, strength };
      });
    }),
  ];
}
