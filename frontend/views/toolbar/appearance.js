/** The Appearance menu: the zoom, and the style, colours and scale of the gradients. */

import { ZOOMS } from "../../layout/grid_layout.js";
import { MAPS, SCALES, STYLES } from "../../drawing/gradient_colors.js";
import { element } from "../common/dom.js";
import { fill, labelled, select } from "../common/fields.js";
import { menu } from "../common/menu.js";

/** @import {OnChange, State} from "../../state/state.js" */
/** @import {Look, Theme} from "../../types.js" */

const FIT = "fit";
/** @type {Record<number, string>} */
const ZOOM_NAMES = { 0.125: "× ⅛", 0.25: "× ¼", 0.5: "× ½", 1: "× 1, actual size" };

export class Appearance {
  #zoom;
  #gradient;
  #map;
  #scale;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    const choose = (/** @type {keyof Look} */ part) => (/** @type {string} */ choice) =>
      onChange((state) => ({ ...state, look: { ...state.look, [part]: choice } }));
    this.#zoom = select("zoom", (zoom) => onChange((state) => ({ ...state, chosenZoom: Number(zoom) || null })), [
      [FIT, "automatic"],
      ...ZOOMS.map((zoom) => /** @type {[string, string]} */ ([String(zoom), ZOOM_NAMES[zoom] ?? `× ${zoom}`])),
    ]);
    this.#gradient = select("gradient", choose("gradient"), Object.entries(STYLES));
    this.#map = select("map", choose("map"), mapsIn("light"));
    this.#scale = select("scale", choose("scale"), Object.entries(SCALES));
    const summary = element("summary", { title: "Zoom, colours and scale" }, "Appearance");
    this.element = menu(
      "appearance",
      summary,
      labelled("Zoom", this.#zoom),
      labelled("Gradient", this.#gradient),
      labelled("Colours", this.#map),
      labelled("Scale", this.#scale),
    );
  }

  /** @param {State} state */
  show({ chosenZoom, look }) {
    this.#zoom.value = chosenZoom === null ? FIT : String(chosenZoom);
    this.#gradient.value = look.gradient;
    this.#map.value = look.map;
    this.#scale.value = look.scale;
    this.#map.disabled = look.gradient === "magnitude";
  }

  /** @param {Theme} theme */
  showTheme(theme) {
    fill(this.#map, mapsIn(theme));
  }
}

/**
 * @param {Theme} theme
 * @returns {[string, string][]}
 */
function mapsIn(theme) {
  return Object.entries(MAPS).map(([map, names]) => [map, names[theme]]);
}
