/** Types and functions that the views of samples share: the grid, Follow and Compare. */

import { largestStrength, runColours, scaleEnd, strengthInUse } from "../../state/selectors.js";

/** @import {OnChange, State} from "../../state/state.js" */
/** @import {Look, Picture, Sample, Theme} from "../../types.js" */

/**
 * @typedef {object} Scene how all samples are drawn
 * @property {number} strength the slider's
 * @property {ReadonlyMap<string, number>} ownStrengths by the sample's key
 * @property {number} largestStrength the largest recorded one
 * @property {Theme} theme
 * @property {Look} look
 * @property {number | null} scaleEnd the magnitude at which the common colour scale ends; `null`: each gradient
 *   has its own scale
 * @property {((run: string) => string) | null} runColour `null` if there is only one run
 */

/**
 * @param {State} state
 * @param {Theme} theme
 * @returns {Scene}
 */
export function sceneOf(state, theme) {
  return {
    strength: strengthInUse(state),
    ownStrengths: state.ownStrengths,
    largestStrength: largestStrength(state),
    theme,
    look: state.look,
    scaleEnd: scaleEnd(state),
    runColour: runColours(state),
  };
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
 * @param {{sample: Sample, showPicture: (picture: Picture, scene: Scene) => void, showProblem: (problem: string) => void}} node
 * @param {ViewListener} listener
 * @param {Scene} scene
 */
export function showLoaded(node, listener, scene) {
  const picture = listener.picture(node.sample);
  const problem = listener.problem(node.sample);
  if (picture) node.showPicture(picture, scene);
  else if (problem) node.showProblem(problem);
}
