/** What became of all that was captured: what is here, what is missing, and why. */

import { countOf } from "../../samples/captions.js";
import { countsOf, stretchedRuns } from "../../state/selectors.js";
import { element } from "../common/dom.js";

/** @import {State} from "../../state/state.js" */

export class Trust {
  #list = element("dl");
  #shown = "";
  element = element(
    "details",
    { className: "trust" },
    element("summary", { className: "name" }, "What was recorded"),
    this.#list,
  );

  /** @param {State} state */
  show(state) {
    const facts = factsOf(state);
    const shown = JSON.stringify(facts);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.replaceChildren(
      ...facts.map(({ name, value, title }) =>
        element("div", { title }, element("dt", {}, name), element("dd", {}, value)),
      ),
    );
  }
}

/**
 * @param {State} state
 * @returns {{name: string, value: string, title: string}[]}
 */
function factsOf(state) {
  const { samples, dropped, unreadable, superseded } = countsOf(state);
  return [
    {
      name: "samples, in the ticked runs",
      value: countOf(samples),
      title: "all that was captured and can be shown; TensorBoard samples nothing away",
    },
    {
      name: "lost in writing",
      value: countOf(dropped),
      title: "captured, and not written: the hook's budget was spent, or the disk was full",
    },
    {
      name: "unreadable",
      value: countOf(unreadable),
      title: "records that are damaged, or newer than this plugin reads",
    },
    {
      name: "superseded",
      value: countOf(superseded),
      title: "a training that restarted from a checkpoint recorded these steps again",
    },
    ...budgetFacts(state),
    {
      name: "record version",
      value: String(state.recordVersion ?? ""),
      title: "the newest version of records that this plugin reads",
    },
  ];
}

/** @param {State} state */
function budgetFacts(state) {
  const title = "to cover a training of any length within budget_mb, the hook captures more and more rarely";
  const stretched = stretchedRuns(state);
  if (!stretched.length) return [{ name: "budget", value: "captures as often as asked", title }];
  return stretched.map(({ run, from, every }) => ({
    name: `budget of ${run}`,
    value: `from step ${countOf(from)} on captures are rarer, up to ${countOf(every)} steps apart`,
    title,
  }));
}
