/** How much the page requests before it knows the runs. Pure. */

/** How many runs are shown until the user ticks others. More would be slow to fetch. */
export const RUNS_AT_FIRST = 10;
/** How many records are enough to show the first samples. All others follow. */
export const FIRST_RECORDS = 200;
