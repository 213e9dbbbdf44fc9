/** The Download menu: pictures, numbers, arrays and code of the shown samples. */

import { fetchReport } from "../../data/api.js";
import { fetchArrays } from "../../data/payload_batches.js";
import { formatCount } from "../../samples/captions.js";
import { sheetOf } from "../../layout/contact_sheet_layout.js";
import { csvOf } from "../../export/csv.js";
import { fileName } from "../../export/file_name.js";
import { bytesOf, npzOf } from "../../export/npz.js";
import { numbersOf } from "../../export/sample_table.js";
import { MOST_IN_SNIPPET, snippetOf } from "../../export/snippet.js";
import { element } from "../common/dom.js";
import { menu } from "../common/menu.js";
import { IS_BLOCKED, saveFile } from "../common/save_file.js";
import { TextOffer } from "../common/text_offer.js";
import { ContactSheetPainter } from "./contact_sheet.js";
import { errorMessage } from "../../data/error_message.js";

/** @import {Sample} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

/** A browser can hold this much twice. */
const MOST_NPZ_BYTES = 256 << 20;
/** The back end puts at most this much into one report. */
const MOST_IN_REPORT = 256;
const MOST_REPORT_BYTES = 32 << 20;

/**
 * One kind of download.
 * @typedef {object} Download
 * @property {string} name
 * @property {string} words describes the download
 * @property {(samples: Sample[]) => number} capacity how many samples it can hold, counted from the first one
 * @property {(samples: Sample[], signal: AbortSignal) => Promise<string>} run does it and returns a message
 */

export class DownloadMenu {
  /** @type {Sample[]} */
  #samples = [];
  #progress = element("progress", { hidden: true, ariaLabel: "Progress" });
  #cancel = element("button", { type: "button", hidden: true }, "Cancel");
  #status = element("p", { role: "status" });
  #offer = new TextOffer(this.#status);
  /** @type {{download: Download, button: HTMLButtonElement, capacity: HTMLElement}[]} */
  #downloads;
  #running = new AbortController();
  element;

  /**
   * @param {() => DisplaySettings} settings the settings at the time of a download
   * @param {(() => Record<string, string>) | null} link what the page shows; `null` in a report, which makes no other
   */
  constructor(settings, link) {
    this.settings = settings;
    this.link = link;
    this.#downloads = this.#makeDownloads().map((download) => {
      const capacity = element("span", { className: "room" });
      const button = element(
        "button",
        { type: "button", name: download.name },
        element("strong", {}, download.name),
        element("span", {}, download.words),
        capacity,
      );
      button.addEventListener("click", () => this.#run(download));
      return { download, button, capacity };
    });
    this.#cancel.addEventListener("click", () => this.#running.abort());
    this.element = menu(
      "downloads",
      element("summary", {}, "Download"),
      ...this.#downloads.map(({ button }) => button),
      this.#progress,
      this.#status,
      this.#cancel,
    );
    this.element.addEventListener("toggle", () => this.#showCapacities());
  }

  /** @returns {Download[]} */
  #makeDownloads() {
    return [
      {
        name: "Pictures",
        words: "PNG: a contact sheet at the chosen strength",
        capacity: (samples) => sheetOf(samples).samples.length,
        run: (samples, signal) => this.#savePictures(samples, signal),
      },
      {
        name: "Numbers",
        words: "CSV: one row for each morph",
        capacity: (samples) => samples.length,
        run: async (samples) => {
          const text = csvOf(numbersOf(samples));
          if (IS_BLOCKED) return this.#offer.offer(text, "numbers");
          saveFile([text], "text/csv;charset=utf-8", nameOf(samples, "csv"));
          return `The numbers of ${inWords(samples.length)} were saved.`;
        },
      },
      {
        name: "Arrays",
        words: "NPZ: images, gradients, deltas of all morphs and numbers, for numpy.load",
        capacity: npzCapacity,
        run: (samples, signal) => this.#saveArrays(samples, signal),
      },
      {
        name: "Python",
        words: "Copies code that loads these samples with read_samples",
        capacity: (samples) => Math.min(samples.length, MOST_IN_SNIPPET),
        run: (samples) => this.#offer.offer(snippetOf(samples), "code"),
      },
      ...(this.link ? [this.#reportDownload(this.link)] : []),
    ];
  }

  /**
   * @param {() => Record<string, string>} link
   * @returns {Download}
   */
  #reportDownload(link) {
    return {
      name: "This page as a report",
      words: "HTML: these samples and this page in one file",
      capacity: (samples) =>
        Math.min(countWithin(samples, MOST_REPORT_BYTES, ({ payload }) => payload.bytes), MOST_IN_REPORT),
      run: async (samples, signal) => {
        const report = await fetchReport(samples[0].tag, samples, link(), signal);
        saveFile([report], "text/html", nameOf(samples, "html"));
        return `A report of ${inWords(samples.length)} was saved.`;
      },
    };
  }

  /** @param {Sample[]} samples filtered and sorted */
  show(samples) {
    this.#samples = samples;
    if (this.element.open) this.#showCapacities();
  }

  #showCapacities() {
    const all = this.#samples.length;
    for (const { download, button, capacity } of this.#downloads) {
      const some = download.capacity(this.#samples);
      button.disabled = !all;
      capacity.textContent =
        some < all ? `the first ${formatCount(some)} of ${formatCount(all)} samples` : inWords(all);
    }
  }

  /** @param {Download} download */
  async #run(download) {
    this.#running.abort();
    const running = new AbortController();
    this.#running = running;
    const samples = this.#samples.slice(0, download.capacity(this.#samples));
    this.#status.textContent = "";
    this.#offer.clear();
    try {
      this.#status.textContent = await download.run(samples, running.signal);
    } catch (error) {
      if (this.#running !== running) return;
      const reason = errorMessage(error);
      this.#status.textContent = running.signal.aborted ? "Cancelled." : `The download failed: ${reason}`;
    }
    if (this.#running === running) this.#showProgress(null);
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
  async #savePictures(samples, signal) {
    const painter = new ContactSheetPainter(samples, this.settings());
    let position = 0;
    let missing = 0;
    this.#showProgress(0);
    for await (const { sample, arrays } of fetchArrays(samples, signal)) {
      painter.paint(sample, position++, arrays);
      if (!arrays) missing++;
      this.#showProgress(position / samples.length);
    }
    saveFile([await painter.png()], "image/png", nameOf(samples, "png"));
    return `The pictures of ${inWords(samples.length)} were saved${unreadable(missing)}.`;
  }

  /**
   * @param {Sample[]} samples
   * @param {AbortSignal} signal
   */
  async #saveArrays(samples, signal) {
    const loaded = [];
    let done = 0;
    this.#showProgress(0);
    for await (const { sample, arrays } of fetchArrays(samples, signal)) {
      if (arrays) loaded.push({ sample, arrays });
      this.#showProgress(++done / samples.length);
    }
    if (!loaded.length) throw new Error("the arrays of all samples are damaged or missing.");
    saveFile(npzOf(loaded), "application/zip", nameOf(samples, "npz"));
    return `The arrays of ${inWords(loaded.length)} were saved${unreadable(samples.length - loaded.length)}.`;
  }
}

/** @param {Sample[]} samples */
function npzCapacity(samples) {
  return countWithin(samples, MOST_NPZ_BYTES, bytesOf);
}

/**
 * How many of the samples, counted from the first one, have at most so many bytes together.
 * @param {Sample[]} samples
 * @param {number} most
 * @param {(sample: Sample) => number} bytes of one sample
 */
function countWithin(samples, most, bytes) {
  let sum = 0;
  const end = samples.findIndex((sample) => (sum += bytes(sample)) > most);
  return end < 0 ? samples.length : end;
}

/** @param {number} count */
function inWords(count) {
  return count === 1 ? "1 sample" : `${formatCount(count)} samples`;
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
