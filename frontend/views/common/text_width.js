/** How wide a text is on the screen. The layouts know no fonts, so the views pass this function to them. */

/** @import {TextKind} from "../../types.js" */

/**
 * The boldest font of each kind of text. The style sheets name the same sizes.
 * @type {Record<TextKind, string>}
 */
const FONTS = { title: "600 14px", chip: "500 12px", small: "500 11px" };

/**
 * The widths by text: the same few names and words are measured for every sample.
 * @type {Record<TextKind, Map<string, number>>}
 */
const KNOWN = { title: new Map(), chip: new Map(), small: new Map() };
/** @type {CanvasRenderingContext2D | null} */
let context = null;

/**
 * Cuts a text that is wider than its room.
 * @param {HTMLElement} node
 * @param {number} room in CSS pixels
 */
export function cutIfWide(node, room) {
  node.classList.toggle("cut", textWidth(node.textContent, "small") > room);
}

/**
 * @param {string} text
 * @param {TextKind} kind
 * @returns {number} in CSS pixels
 */
export function textWidth(text, kind) {
  let width = KNOWN[kind].get(text);
  if (width === undefined) {
    context ??= document.createElement("canvas").getContext("2d");
    if (!context) throw new Error("this browser cannot draw on a canvas");
    context.font = `${FONTS[kind]} ${getComputedStyle(document.body).fontFamily}`;
    width = context.measureText(text).width;
    KNOWN[kind].set(text, width);
  }
  return width;
}
