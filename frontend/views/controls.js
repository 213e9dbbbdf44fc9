/** The left pane: which samples are shown, in which order, and how large. */

import { countOf } from "../captions.js";
import { ZOOMS } from "../layout.js";
import {
  chooseTag,
  countsOf,
  filtersInUse,
  hasProbes,
  runColour,
  runsOfTag,
  tagInUse,
  tagsOf,
  tick,
  tickedRuns,
  withFilters,
} from "../state.js";
import { element } from "./dom.js";

/** @import {Show} from "../filters.js" */
/** @import {Sort} from "../orders.js" */
/** @import {OnChange, State} from "../state.js" */

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
  #rows;

  /**
   * @param {OnChange} onChange
   * @param {() => void} onReload
   * @param {HTMLElement[]} more what else stands in the pane, at its end
   */
  constructor(onChange, onReload, more) {
    onChoice(this.#tag, (tag) => onChange((state) => chooseTag(state, tag)));
    onChoice(this.#show, (show) => onChange((state) => withFilters(state, { show: /** @type {Show} */ (show) })));
    onChoice(this.#sort, (sort) => onChange((state) => ({ ...state, sort: /** @type {Sort} */ (sort) })));
    onChoice(this.#zoom, (zoom) => onChange((state) => ({ ...state, chosenZoom: Number(zoom) || null })));
    this.#reload.addEventListener("click", () => onReload());
    this.#runs.addEventListener("change", ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      const { value, checked } = target;
      onChange((state) => tick(state, value, checked));
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
      ...more,
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
    this.#show.value = filtersInUse(state).show;
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
 * @param {HTMLSelectElement} node
 * @param {(value: string) => void} listener
 */
function onChoice(node, listener) {
  node.addEventListener("change", () => listener(node.value));
}

/**
 * @param {string} name
 * @param {HTMLElement} control
 */
function labelled(name, control) {
  const label = element("label", { className: "name", htmlFor: control.id }, name);
  return element("div", { className: "field" }, label, control);
}
