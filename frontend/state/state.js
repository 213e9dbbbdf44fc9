/** The state of the page: what is known from the back end, and what the user chose. Pure. */

import { INITIAL_GRADIENT_COLORS } from "../drawing/gradient_colors.js";
import { USUAL_FILTERS } from "../samples/filters.js";

/** @import {Change} from "../samples/comparison.js" */
/** @import {Axes} from "../samples/confusion_matrix.js" */
/** @import {Filters, Range} from "../samples/filters.js" */
/** @import {HistoryOrder} from "../samples/history.js" */
/** @import {Review, Reviews} from "../samples/label_review.js" */
/** @import {PairOrder} from "../samples/pairs.js" */
/** @import {Sort} from "../samples/sort_orders.js" */
/** @import {TargetChoice} from "../samples/target_choice.js" */
/** @import {RunIndex, GradientColors, RunTags} from "../types.js" */

/**
 * The name of a view in `views/registry.js`, and in links.
 * @typedef {string} View
 */

/**
 * A view calls this when its user does something: the transition makes the next state from the present one.
 * @typedef {(transition: (state: State) => State) => void} OnChange
 */

/**
 * @typedef {object} State
 * @property {RunTags[] | null} runs `null` until the back end has answered for the first time
 * @property {number | null} recordVersion the newest version of records that the back end can read
 * @property {string[]} runOrder TensorBoard's order of the runs, which decides the runs' colours
 * @property {string} runFilter a regular expression; runs that do not match are not offered
 * @property {ReadonlyMap<string, boolean>} ticked runs that the user ticked or unticked
 * @property {"all" | "none" | null} others which of the other runs are ticked; `null`: the first few
 * @property {string | null} chosenTag
 * @property {Filters} filters
 * @property {Sort} sort
 * @property {View} view
 * @property {Axes | null} chosenAxes what the confusion matrix counts; `null`: the user did not choose
 * @property {number | null} chosenZoom `null`: the zoom is automatic
 * @property {GradientColors} gradientColors
 * @property {boolean} allTargets whether cards also show targets that the network already predicts
 * @property {number | null} target only samples with this class among their targets are shown; `null`: all
 * @property {ReadonlyMap<string, TargetChoice>} targetChoices by the sample's key, for cards whose targets were chosen
 *   one by one
 * @property {number} strength the slider's, for all samples without an override
 * @property {ReadonlyMap<string, number>} strengthOverrides by the sample's key, for samples whose strength differs
 *   from the slider's
 * @property {boolean} atFlip each morph is shown at its own flip, unless its sample has an override
 * @property {string | null} chosenMorph the kind of morph that is shown; `null`: the user did not choose
 * @property {string | null} selected the key of the sample that the detail dialog shows
 * @property {Change | null} change which pairs of compared samples are shown; `null`: all
 * @property {[string, string] | null} compared the two runs that the user chose to compare
 * @property {"gradient" | "morph"} frames what the frames of the Follow view show
 * @property {Range | null} overviewSteps the steps that the Overview and the Pair view are about; `null`: the latest third
 * @property {readonly [number, number] | null} openPair the classes of the Pair view, the smaller one first
 * @property {PairOrder} pairOrder the order of the Overview's table
 * @property {string} pairSearch a text that the Overview's table is searched for
 * @property {"morph" | "change"} examples what stands beside the originals in the Overview
 * @property {HistoryOrder} historyOrder the order of the rows of the Follow view
 * @property {Reviews} reviews what the user found out about labels
 * @property {Review | "any" | null} review only samples with this review are shown; `null`: all
 * @property {ReadonlySet<string>} dismissed the keys of the notices that are not shown any more
 * @property {ReadonlyMap<string, RunIndex>} indexes by run, for the tag in use
 */

/** The view of a fresh page. */
export const FIRST_VIEW = "overview";
/** The view of a link that names none: before there was an Overview, this view came first. */
export const VIEW_OF_OLD_LINKS = "samples";

/** @returns {State} */
export function initialState() {
  return {
    runs: null,
    recordVersion: null,
    runOrder: [],
    runFilter: "",
    ticked: new Map(),
    others: null,
    chosenTag: null,
    filters: USUAL_FILTERS,
    sort: "border",
    view: FIRST_VIEW,
    chosenAxes: null,
    chosenZoom: null,
    gradientColors: INITIAL_GRADIENT_COLORS,
    allTargets: false,
    target: null,
    targetChoices: new Map(),
    strength: 1,
    strengthOverrides: new Map(),
    atFlip: false,
    chosenMorph: null,
    selected: null,
    change: null,
    compared: null,
    frames: "gradient",
    overviewSteps: null,
    openPair: null,
    pairOrder: "captures",
    pairSearch: "",
    examples: "morph",
    historyOrder: "changes",
    reviews: new Map(),
    review: null,
    dismissed: new Set(),
    indexes: new Map(),
  };
}
