/** The layout of the Compare view: the cards of a pair side by side, or one above the other if space is short. Pure. */

import { gridLayout } from "./grid_layout.js";
import { rowsFrom } from "./places.js";

/** @import {Pair} from "../samples/comparison.js" */
/** @import {CardLayout, GridOptions} from "./grid_layout.js" */
/** @import {Places} from "./places.js" */

const GAP = 16;
/** The height of the text above each pair, in CSS pixels. The same number is in style/compare.css. */
export const HEADER = 44;

/**
 * @typedef {object} PairLayout
 * @property {[CardLayout, CardLayout][]} cards
 * @property {boolean} sideBySide
 * @property {number} columnWidth
 * @property {number[]} tops the top of each pair, and then the bottom of the last one
 */

/**
 * @param {Pair[]} pairs
 * @param {GridOptions} options
 * @returns {PairLayout}
 */
export function pairLayout(pairs, options) {
  const { cards, columns, columnWidth } = gridLayout(
    pairs.flatMap(({ first, second }) => [first, second]),
    { ...options, partners: new Set(pairs.map(({ second }) => second)) },
  );
  const sideBySide = columns > 1;
  /** @type {[CardLayout, CardLayout][]} */
  const pairsOfCards = pairs.map((_, position) => [cards[2 * position], cards[2 * position + 1]]);
  const tops = [0];
  for (const [first, second] of pairsOfCards) {
    const height = sideBySide ? Math.max(first.height, second.height) : first.height + GAP + second.height;
    tops.push(tops[tops.length - 1] + HEADER + height + GAP);
  }
  return { cards: pairsOfCards, sideBySide, columnWidth, tops };
}

/**
 * The box of a card within its pair.
 * @param {PairLayout} layout
 * @param {number} position the position of the pair
 * @param {0 | 1} which
 */
export function boxInPair({ cards, sideBySide, columnWidth, tops }, position, which) {
  const [first, second] = cards[position];
  const left = GAP + (sideBySide && which ? columnWidth + GAP : 0);
  const below = !sideBySide && which ? first.height + GAP : 0;
  const room = tops[position + 1] - tops[position] - HEADER - GAP;
  const height = sideBySide ? room : (which ? second : first).height;
  return { left, top: HEADER + below, width: columnWidth, height };
}

/**
 * @param {PairLayout} layout
 * @returns {Places}
 */
export function placesOfPairs({ sideBySide, columnWidth, tops }) {
  return rowsFrom(tops, GAP + (sideBySide ? 2 : 1) * (columnWidth + GAP));
}
