/** The left pane: which samples are shown, in which order, and how large. */

import { countOf } from "../captions.js";
import { PALETTES } from "../colormap.js";
import { ZOOMS } from "../layout.js";
import { NOT_FINITE } from "../pixels.js";
import { countsOf, hasProbes, runColour, runsOfTag, showInUse, tagInUse, tagsOf, tickedRuns } from "../state.js";
import { element } from "./dom.js";

/** @import {State} from "../state.js" */
/** @import {Show, Sort, Theme} from "../types.js" */

/**
 * @typedef {object} Listener
 * @property {(run: string, ticked: boolean) => void} onRun
 * @property {(tag: string) => void} onTag
 * @property {(show: Show) => void} onShow
 * @property {(sort: Sort) => void} onSort
 * @property {(zoom: number | null) => void} onZoom
 * @property {() => void} onReload
 */

/** @type {[Sort, string][]} */
const SORTS = [
  ["newest", "newest step first"],
  ["oldest", "oldest step first"],
  ["margin", "smallest margin first"],
];
/** @type {[Show, string][]} */
const SHOWS = [
  ["all", "all samples"],
  ["confused", "confused samples"],
  ["probes", "probes"],
];
const FIT = "fit";
/** @type {Record<number, string>} */
const ZOOM_NAMES = { 0.125: "× ⅛", 0.25: "× ¼", 0.5: "× ½", 1: "× 1, actual size" };

export class Controls {
  #runs = element("div", { className: "runs", role: "group", ariaLabel: "Runs" });
  #tag = element("select", { id: "tag" });
  #show = select("show", SHOWS);
  #sort = select("sort", SORTS);
  #zoom = select("zoom", [
    [FIT, "automatic"],
    ...ZOOMS.map((zoom) => /** @type {[string, string]} */ ([String(zoom), ZOOM_NAMES[zoom] ?? `× ${zoom}`])),
  ]);
  #count = element("p", { className: "count", role: "status" });
  #reload = element("button", { type: "button", className: "reload" }, "Reload");
  #ramp = element("canvas", { className: "ramp", width: NOT_FINITE, height: 1, ariaHidden: "true" });
  #rows;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#tag.addEventListener("change", () => listener.onTag(this.#tag.value));
    this.#show.addEventListener("change", () => listener.onShow(/** @type {Show} */ (this.#show.value)));
    this.#sort.addEventListener("change", () => listener.onSort(/** @type {Sort} */ (this.#sort.value)));
    this.#zoom.addEventListener("change", () => listener.onZoom(Number(this.#zoom.value) || null));
    this.#reload.addEventListener("click", () => listener.onReload());
    this.#runs.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement) listener.onRun(target.value, target.checked);
    });
    this.#rows = { tag: labelled("Tag", this.#tag), show: labelled("Show", this.#show) };
    this.element = element(
      "aside",
      { ariaLabel: "Controls" },
      element("div", { className: "status" }, this.#count, this.#reload),
      element("div", { className: "field" }, element("span", { className: "name" }, "Runs"), this.#runs),
      this.#rows.tag,
      this.#rows.show,
      labelled("Order", this.#sort),
      labelled("Zoom", this.#zoom),
      element(
        "div",
        { className: "field legend" },
        element("span", { className: "name" }, "Gradient"),
        this.#ramp,
        element(
          "div",
          { className: "ends" },
          element("span", {}, "lowers"),
          element("span", {}, "0"),
          element("span", {}, "raises"),
        ),
        element(
          "p",
          {},
          "what brightening a pixel does to the target's score; each panel reaches to its own largest value; magenta is not finite",
        ),
      ),
      element(
        "div",
        { className: "field legend verdicts" },
        element("span", { className: "name" }, "Verdict"),
        verdictExample("chip flipped", "8 at 0.95", "the network says the target"),
        verdictExample("chip", "5 (8 at 0.45)", "it says something else"),
        verdictExample("chip open", "5 or 8", "it changed its mind nearby"),
      ),
    );
  }

  /**
   * @param {State} state
   * @param {number} shown how many samples are left of all
   */
  show(state, shown) {
    this.#showRuns(state);
    this.element.hidden = !state.runs?.length;
    const tags = tagsOf(state);
    fill(this.#tag, tags.map((tag) => [tag, tag]));
    this.#tag.value = tagInUse(state) ?? "";
    this.#rows.tag.hidden = tags.length < 2;
    this.#show.value = showInUse(state);
    this.#rows.show.hidden = !hasProbes(state);
    this.#sort.value = state.sort;
    this.#zoom.value = state.chosenZoom === null ? FIT : String(state.chosenZoom);
    const { samples, unreadable, superseded, dropped } = countsOf(state);
    const words = [`${countOf(shown)} of ${countOf(samples)} samples`];
    if (unreadable) words.push(`${countOf(unreadable)} unreadable`);
    if (superseded) words.push(`${countOf(superseded)} superseded by a restart`);
    if (dropped) words.push(`${countOf(dropped)} lost in writing`);
    const text = words.join(", ");
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }

  /** @param {boolean} busy */
  showBusy(busy) {
    this.#reload.ariaBusy = String(busy);
  }

  /** @param {Theme} theme */
  showTheme(theme) {
    const colours = PALETTES[theme].slice(0, NOT_FINITE);
    const image = new ImageData(new Uint8ClampedArray(colours.buffer), NOT_FINITE, 1);
    this.#ramp.getContext("2d")?.putImageData(image, 0, 0);
  }

  /** @param {State} state */
  #showRuns(state) {
    const runs = runsOfTag(state);
    const boxes = [...this.#runs.querySelectorAll("input")];
    if (boxes.map(({ value }) => value).join("\n") !== runs.join("\n")) {
      this.#runs.replaceChildren(...runs.map(runBox));
    }
    const ticked = tickedRuns(state);
    for (const box of this.#runs.querySelectorAll("input")) {
      box.checked = ticked.includes(box.value);
      box.style.accentColor = runColour(state, box.value);
    }
  }
}

/** @param {string} run */
function runBox(run) {
  const box = element("input", { type: "checkbox", name: "run", value: run });
  return element("label", { title: run }, box, element("span", {}, run));
}

/**
 * @param {string} id
 * @param {[string, string][]} choices
 */
function select(id, choices) {
  const node = element("select", { id });
  fill(node, choices);
  return node;
}

/**
 * @param {HTMLSelectElement} node
 * @param {[string, string][]} choices value and words
 */
function fill(node, choices) {
  const values = [...node.options].map(({ value }) => value);
  if (values.join("\n") === choices.map(([value]) => value).join("\n")) return;
  node.replaceChildren(...choices.map(([value, text]) => element("option", { value }, text)));
}

/**
 * @param {string} chip its class
 * @param {string} verdict
 * @param {string} meaning
 */
function verdictExample(chip, verdict, meaning) {
  return element("p", {}, element("span", { className: chip }, verdict), meaning);
}

/**
 * @param {string} name
 * @param {HTMLElement} control
 */
function labelled(name, control) {
  const label = element("label", { className: "name", htmlFor: control.id }, name);
  return element("div", { className: "field" }, label, control);
}
