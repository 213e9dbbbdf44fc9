/** The Appearance menu: the zoom, and the style, colours and scale of the gradients. */

import { ZOOMS } from "../../layout/grid_layout.js";
import { MAPS, SCALES, STYLE_CHOICES } from "../../drawing/gradient_colors.js";
import { element } from "../common/dom.js";
import { labelledField, select, setOptions } from "../common/form_fields.js";
import { menu } from "../common/menu.js";

/** @import {OnChange, State} from "../../state/state.js" */
/** @import {GradientColors, Theme} from "../../types.js" */

const FIT = "fit";
/** @type {Record<number, string>} */
const ZOOM_NAMES = { 0.125: "× ⅛", 0.25: "× ¼", 0.5: "× ½", 1: "× 1, actual size" };

export class AppearanceMenu {
  #zoom;
  #gradient;
  #map;
  #scale;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    const choose = (/** @type {keyof GradientColors} */ part) => (/** @type {string} */ choice) =>
      onChange((state) => ({ ...state, gradientColors: { ...state.gradientColors, [part]: choice } }));
    this.#zoom = select("zoom", (zoom) => onChange((state) => ({ ...state, chosenZoom: Number(zoom) || null })), [
      [FIT, "automatic"],
      ...ZOOMS.map((zoom) => /** @type {[string, string]} */ ([String(zoom), ZOOM_NAMES[zoom] ?? `× ${zoom}`])),
    ]);
    this.#gradient = select("gradient", choose("style"), Object.entries(STYLE_CHOICES));
    this.#map = select("map", choose("map"), mapsIn("light"));
    this.#scale = select("scale", choose("scale"), Object.entries(SCALES));
    const summary = element("summary", { title: "Zoom, colours and scale" }, "Appearance");
    this.element = menu(
      "appearance",
      summary,
      labelledField("Zoom", this.#zoom),
      labelledField("Gradient", this.#gradient),
      labelledField("Colours", this.#map),
      labelledField("Scale", this.#scale),
    );
  }

  /** @param {State} state */
  show({ chosenZoom, gradientColors }) {
    this.#zoom.value = chosenZoom === null ? FIT : String(chosenZoom);
    this.#gradient.value = gradientColors.style;
    this.#map.value = gradientColors.map;
    this.#scale.value = gradientColors.scale;
    this.#map.disabled = false;
  }

  /** @param {Theme} theme */
  showTheme(theme) {
    setOptions(this.#map, mapsIn(theme));
  }
}

/**
 * @param {Theme} theme
 * @returns {[string, string][]}
 */
function mapsIn(theme) {
  return Object.entries(MAPS).map(([map, names]) => [map, names[theme]]);
}
