/** All views, in the order of their tabs. A new view is a folder and a line here. */

import { FIRST_VIEW } from "../state/state.js";
import { Compare } from "./compare/compare.js";
import { Follow } from "./follow/follow.js";
import { Grid } from "./grid/grid.js";
import { Overview } from "./overview/overview.js";
import { PairView } from "./pair/pair.js";

/** @import {ViewEntry} from "./common/view.js" */

/** @type {Record<string, ViewEntry>} by their names in links */
export const VIEWS = {
  overview: { View: Overview, title: "Overview", concludes: true },
  pair: { View: PairView, title: "Pair", concludes: true, within: "overview" },
  samples: { View: Grid, title: "Samples" },
  follow: { View: Follow, title: "Over training" },
  compare: { View: Compare, title: "Compare runs" },
};

/**
 * The name of the view that is shown: a link may name one that does not exist.
 * @param {string} view
 */
export function viewName(view) {
  return Object.hasOwn(VIEWS, view) ? view : FIRST_VIEW;
}
