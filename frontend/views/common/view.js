/** What every view is. `views/registry.js` lists the views. */

/** @import {Command} from "./key_commands.js" */
/** @import {DisplaySettings, ViewListener} from "./sample_view.js" */
/** @import {AnchorMode} from "../../layout/scroll_anchor.js" */
/** @import {State} from "../../state/state.js" */
/** @import {Picture, Raster, Sample} from "../../types.js" */

/**
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {HTMLElement} [head] what stands beside the filters while the view is shown
 * @property {(state: State, samples: Sample[], anchorMode?: AnchorMode, isNews?: boolean) => void} show shows a state.
 *   `samples` are filtered and sorted. A hidden view only remembers them. `isNews`: the user did not ask for the change;
 *   there are new samples of runs that were there before
 * @property {() => Promise<void>} [whenShown] waits until the view shows the last state. A view without it shows each
 *   state at once
 * @property {() => void} refresh shows what changed while the view was hidden, and fits the size of the window
 * @property {(settings: DisplaySettings) => void} applySettings paints the samples again with other colours or strengths
 * @property {(sample: Sample) => Raster | undefined} rasterOf the size at which the view shows a sample; `undefined` if
 *   it does not show it
 * @property {(sample: Sample, picture: Picture) => void} showPicture
 * @property {(sample: Sample, problem: string) => void} showProblem
 * @property {(on: boolean) => void} blink shows the originals in place of the morphs, or the morphs again
 * @property {(command: Command) => void} move moves the focus
 * @property {() => void} open opens what has the focus
 * @property {(sample: Sample) => void} focus scrolls to a sample and focuses it
 */

/**
 * @typedef {object} ViewEntry
 * @property {new (settings: DisplaySettings, listener: ViewListener) => View} View
 * @property {string} title the text of its tab
 * @property {string} [within] the view whose tab is selected while this view is shown; then it has no tab of its own
 * @property {boolean} [concludes] whether it shows conclusions about all samples. Then filters, order and strength do
 *   not apply to it
 */
export {};
