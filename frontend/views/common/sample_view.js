/** Types and functions that the views of samples share: the grid, Follow and Compare. */

import { sharedStart } from "../../samples/run_names.js";
import {
  largestStrength,
  morphInUse,
  morphKinds,
  photographs,
  runColours,
  runsOfTag,
  scaleEnd,
  strengthInUse,
  strengthOf,
} from "../../state/selectors.js";

/** @import {Reviews} from "../../samples/label_review.js" */
/** @import {OnChange, State} from "../../state/state.js" */
/** @import {Photographs} from "../../drawing/gradient_colors.js" */
/** @import {GradientColors, Picture, Sample, Target, Theme} from "../../types.js" */

/**
 * @typedef {object} DisplaySettings how all samples are drawn
 * @property {number} strength the slider's
 * @property {ReadonlyMap<string, number>} strengthOverrides by the sample's key
 * @property {boolean} atFlip each morph is shown at its own flip, unless its sample has an override
 * @property {number} largestStrength the largest recorded one
 * @property {string} morph the kind of morph that is shown
 * @property {string[]} morphKinds all kinds
 * @property {Theme} theme
 * @property {GradientColors} gradientColors
 * @property {number | null} scaleEnd the magnitude at which the common colour scale ends; `null`: each gradient
 *   has its own scale
 * @property {Photographs} photographs whether the samples are photographs
 * @property {((run: string) => string) | null} runColour `null` if there is only one run
 * @property {Reviews} reviews what the user found out about labels
 * @property {string} runStart the start that the names of all runs share
 */

/**
 * @param {State} state
 * @param {Theme} theme
 * @returns {DisplaySettings}
 */
export function displaySettings(state, theme) {
  return {
    strength: strengthInUse(state),
    strengthOverrides: state.strengthOverrides,
    atFlip: state.atFlip,
    largestStrength: largestStrength(state),
    morph: morphInUse(state),
    morphKinds: morphKinds(state),
    theme,
    gradientColors: state.gradientColors,
    scaleEnd: scaleEnd(state),
    photographs: photographs(state),
    runColour: runColours(state),
    reviews: state.reviews,
    runStart: sharedStart(runsOfTag(state)),
  };
}

/**
 * The strength at which one morph is shown, at most the largest one that is recorded for its sample.
 * @param {DisplaySettings} settings
 * @param {Sample} sample
 * @param {Target} [target] the default is the sample as a whole
 */
export function shownStrength(settings, sample, target) {
  return Math.min(strengthOf(settings, sample, target), sample.strengths[sample.strengths.length - 1] ?? 0);
}

/**
 * @typedef {object} ViewListener what a view of samples calls
 * @property {OnChange} onChange
 * @property {(samples: Sample[]) => void} onWanted the samples whose pictures the view needs, the visible ones first
 * @property {(sample: Sample) => Picture | undefined} picture the sample's picture, if it is loaded
 * @property {(sample: Sample) => string | undefined} problem why the sample has no picture, if that is known
 * @property {(sample: Sample) => void} onOpen the user opens a sample
 */

/**
 * Shows in a card or a frame what is already loaded of its sample.
 * @param {object} node
 * @param {Sample} node.sample
 * @param {(picture: Picture, settings: DisplaySettings) => void} node.showPicture
 * @param {(problem: string) => void} node.showProblem
 * @param {ViewListener} listener
 * @param {DisplaySettings} settings
 */
export function showLoaded(node, listener, settings) {
  const picture = listener.picture(node.sample);
  const problem = listener.problem(node.sample);
  if (picture) node.showPicture(picture, settings);
  else if (problem) node.showProblem(problem);
}
