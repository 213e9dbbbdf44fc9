/** The Download menu: pictures, numbers, arrays and code of the shown samples. */

import { fetchArrays } from "../../data/payload_batches.js";
import { countOf } from "../../samples/captions.js";
import { sheetOf } from "../../layout/contact_sheet_layout.js";
import { csvOf } from "../../export/csv.js";
import { fileName } from "../../export/file_name.js";
import { bytesOf, npzOf } from "../../export/npz.js";
import { numbersOf } from "../../export/sample_table.js";
import { MOST_IN_SNIPPET, snippetOf } from "../../export/snippet.js";
import { copyText } from "../common/copy.js";
import { element } from "../common/dom.js";
import { menu } from "../common/menu.js";
import { SheetPainter } from "./contact_sheet.js";
import { errorMessage } from "../../data/error_message.js";

/** @import {Sample} from "../../types.js" */
/** @import {Scene} from "../common/sample_view.js" */

/** A browser can hold this much twice. */
const MOST_NPZ_BYTES = 256 << 20;

/**
 * One kind of download.
 * @typedef {object} Choice
 * @property {string} name
 * @property {string} words describes the download
 * @property {(samples: Sample[]) => number} room how many samples it can hold, counted from the first one
 * @property {(samples: Sample[], signal: AbortSignal) => Promise<string>} take does it and returns a message
 */

export class Downloads {
  /** @type {Sample[]} */
  #samples = [];
  #progress = element("progress", { hidden: true, ariaLabel: "Progress" });
  #cancel = element("button", { type: "button", hidden: true }, "Cancel");
  #status = element("p", { role: "status" });
  /** @type {{choice: Choice, button: HTMLButtonElement, room: HTMLElement}[]} */
  #choices;
  #working = new AbortController();
  element;

  /** @param {() => Scene} scene the settings at the time of a download */
  constructor(scene) {
    this.scene = scene;
    this.#choices = this.#offers().map((choice) => {
      const room = element("span", { className: "room" });
      const button = element(
        "button",
        { type: "button", name: choice.name },
        element("strong", {}, choice.name),
        element("span", {}, choice.words),
        room,
      );
      button.addEventListener("click", () => this.#take(choice));
      return { choice, button, room };
    });
    this.#cancel.addEventListener("click", () => this.#working.abort());
    this.element = menu(
      "downloads",
      element("summary", {}, "Download"),
      ...this.#choices.map(({ button }) => button),
      this.#progress,
      this.#status,
      this.#cancel,
    );
    this.element.addEventListener("toggle", () => this.#showRoom());
  }

  /** @returns {Choice[]} */
  #offers() {
    return [
      {
        name: "Pictures",
        words: "PNG: a contact sheet at the chosen strength",
        room: (samples) => sheetOf(samples).samples.length,
        take: (samples, signal) => this.#takePictures(samples, signal),
      },
      {
        name: "Numbers",
        words: "CSV: one row for each target",
        room: (samples) => samples.length,
        take: async (samples) => {
          save([csvOf(numbersOf(samples))], "text/csv;charset=utf-8", nameOf(samples, "csv"));
          return `The numbers of ${inWords(samples.length)} were saved.`;
        },
      },
      {
        name: "Arrays",
        words: "NPZ: images, gradients, deltas and numbers, for numpy.load",
        room: roomInNpz,
        take: (samples, signal) => this.#takeArrays(samples, signal),
      },
      {
        name: "Python",
        words: "Copies code that loads these samples with read_samples",
        room: (samples) => Math.min(samples.length, MOST_IN_SNIPPET),
        take: async (samples) => {
          const copied = await copyText(snippetOf(samples));
          return copied ? "The code was copied to the clipboard." : "The browser does not allow copying.";
        },
      },
    ];
  }

  /** @param {Sample[]} samples filtered and sorted */
  show(samples) {
    this.#samples = samples;
    if (this.element.open) this.#showRoom();
  }

  #showRoom() {
    const all = this.#samples.length;
    for (const { choice, button, room } of this.#choices) {
      const some = choice.room(this.#samples);
      button.disabled = !all;
      room.textContent = some < all ? `the first ${countOf(some)} of ${countOf(all)} samples` : inWords(all);
    }
  }

  /** @param {Choice} choice */
  async #take(choice) {
    this.#working.abort();
    const working = new AbortController();
    this.#working = working;
    const samples = this.#samples.slice(0, choice.room(this.#samples));
    this.#status.textContent = "";
    try {
      this.#status.textContent = await choice.take(samples, working.signal);
    } catch (error) {
      if (this.#working !== working) return;
      const reason = errorMessage(error);
      this.#status.textContent = working.signal.aborted ? "Cancelled." : `The download failed: ${reason}`;
    }
    if (this.#working === working) this.#showProgress(null);
  }

  /** @param {number | null} share 0 to 1; `null` if no download is running */
  #showProgress(share) {
    this.#progress.hidden = this.#cancel.hidden = share === null;
    this.#progress.value = share ?? 0;
  }

  /**
   * @param {Sample[]} samples
   * @param {AbortSignal} signal
   */
  async #takePictures(samples, signal) {
    const painter = new SheetPainter(samples, this.scene());
    let place = 0;
    let missing = 0;
    this.#showProgress(0);
    for await (const { sample, arrays } of fetchArrays(samples, signal)) {
      painter.paint(sample, place++, arrays);
      if (!arrays) missing++;
      this.#showProgress(place / samples.length);
    }
    save([await painter.png()], "image/png", nameOf(samples, "png"));
    return `The pictures of ${inWords(samples.length)} were saved${unreadable(missing)}.`;
  }

  /**
   * @param {Sample[]} samples
   * @param {AbortSignal} signal
   */
  async #takeArrays(samples, signal) {
    const loaded = [];
    let done = 0;
    this.#showProgress(0);
    for await (const { sample, arrays } of fetchArrays(samples, signal)) {
      if (arrays) loaded.push({ sample, arrays });
      this.#showProgress(++done / samples.length);
    }
    if (!loaded.length) throw new Error("the arrays of all samples are damaged or missing.");
    save(npzOf(loaded), "application/zip", nameOf(samples, "npz"));
    return `The arrays of ${inWords(loaded.length)} were saved${unreadable(samples.length - loaded.length)}.`;
  }
}

/** @param {Sample[]} samples */
function roomInNpz(samples) {
  let bytes = 0;
  const end = samples.findIndex((sample) => (bytes += bytesOf(sample)) > MOST_NPZ_BYTES);
  return end < 0 ? samples.length : end;
}

/** @param {number} count */
function inWords(count) {
  return count === 1 ? "1 sample" : `${countOf(count)} samples`;
}

/** @param {number} missing */
function unreadable(missing) {
  return missing ? `; the arrays of ${inWords(missing)} are damaged or missing` : "";
}

/**
 * @param {Sample[]} samples
 * @param {string} extension
 */
function nameOf(samples, extension) {
  const runs = new Set(samples.map(({ run }) => run));
  const run = runs.size === 1 ? samples[0].run : `${runs.size}-runs`;
  return fileName([run, samples[0].tag], extension);
}

/**
 * @param {BlobPart[]} parts
 * @param {string} type
 * @param {string} name
 */
function save(parts, type, name) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  // The address is needed for a while, because the browser reads it after this function has returned.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
