/** The form fields of the filters. */

import { formatCount } from "../../samples/captions.js";
import { CAPTURES_WORDS, OUTCOME_WORDS, SHOW_WORDS } from "../../samples/filter_captions.js";
import { OUTCOMES, SHOWS, pairCode, pairOfCode } from "../../samples/filters.js";
import { facetsInUse, filtersInUse, hasProbes, hasRanks, namesOf, offeredCaptures } from "../../state/selectors.js";
import { withFilters } from "../../state/transitions.js";
import { element } from "../common/dom.js";
import { RangeField, labelledField, select, setOptions } from "../common/form_fields.js";

/** @import {Captures, Filters, Outcome, Show} from "../../samples/filters.js" */
/** @import {OnChange, State} from "../../state/state.js" */

const ANY = "";
/** Only the most frequent pairs are listed. */
const MOST_PAIRS = 100;

export class FilterFields {
  #search = element("input", { id: "search", type: "search", placeholder: "part of an id" });
  #show;
  #captures;
  #outcome;
  #prediction;
  #label;
  #pair;
  #rank;
  #steps;
  #flip;
  #rows;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    /** @param {Partial<Filters>} filters */
    const choose = (filters) => onChange((state) => withFilters(state, filters));
    this.#search.addEventListener("input", () => choose({ id: this.#search.value }));
    this.#show = select("show", (show) => choose({ show: /** @type {Show} */ (show) }));
    this.#captures = select("captures", (captures) => choose({ captures: /** @type {Captures} */ (captures) }));
    this.#outcome = select("outcome", (outcome) =>
      choose({ outcome: outcome === ANY ? null : /** @type {Outcome} */ (outcome) }),
    );
    this.#prediction = select("prediction", (text) => choose({ prediction: number(text) }));
    this.#label = select("label", (text) => choose({ label: number(text) }));
    this.#rank = select("rank", (text) => choose({ rank: number(text) }));
    this.#pair = select("pair", (text) => choose({ pair: text === ANY ? null : pairOfCode(Number(text)) }));
    this.#steps = new RangeField("steps", "Steps", (steps) => choose({ steps }), "Training steps, both ends included");
    this.#flip = new RangeField(
      "flip",
      "Flip distance",
      (flip) => choose({ flip }),
      "‖delta‖ × strength of the flip: the size of the change that makes the network predict a target",
    );
    this.#rows = {
      search: labelledField("Search", this.#search),
      show: labelledField("Show", this.#show),
      captures: labelledField("Captures", this.#captures),
      outcome: labelledField("Right or wrong", this.#outcome),
      prediction: labelledField("Prediction", this.#prediction),
      label: labelledField("Label", this.#label),
      pair: labelledField("Two most probable classes", this.#pair),
      rank: labelledField("Rank", this.#rank),
    };
    const { search, show, captures, outcome, prediction, label, pair, rank } = this.#rows;
    show.hidden = captures.hidden = rank.hidden = true;
    this.element = element(
      "section",
      { className: "filters", ariaLabel: "Filters" },
      search,
      element("div", { className: "abreast" }, prediction, label),
      element("div", { className: "abreast" }, show, outcome),
      captures,
      element(
        "details",
        { className: "rare" },
        element("summary", {}, "More filters"),
        pair,
        this.#steps.element,
        this.#flip.element,
        rank,
      ),
    );
  }

  /** @param {State} state */
  show(state) {
    const filters = filtersInUse(state);
    const facets = facetsInUse(state);
    const nameOf = namesOf(state);
    if (this.#search !== document.activeElement) this.#search.value = filters.id;
    const probes = facets.probe.get(true) ?? 0;
    const confused = facets.probe.get(false) ?? 0;
    const counts = { all: probes + confused, confused, probes };
    setOptions(
      this.#show,
      SHOWS.map((show) => choice(show, SHOW_WORDS[show], counts[show])),
    );
    this.#show.value = filters.show;
    this.#rows.show.hidden = !hasProbes(state);
    const offered = offeredCaptures(state);
    setOptions(
      this.#captures,
      offered.map((captures) => [captures, CAPTURES_WORDS[captures]]),
    );
    this.#captures.value = filters.captures;
    this.#rows.captures.hidden = !offered.length;
    offerAny(this.#outcome, facets.outcome, OUTCOMES, filters.outcome, (outcome) => OUTCOME_WORDS[outcome]);
    offerAny(this.#prediction, facets.prediction, inOrder(facets.prediction), filters.prediction, nameOf);
    offerAny(this.#label, facets.label, inOrder(facets.label), filters.label, nameOf);
    offerAny(this.#rank, facets.rank, inOrder(facets.rank), filters.rank, String);
    this.#rows.rank.hidden = !hasRanks(state);
    const pair = filters.pair && pairCode(...filters.pair);
    const words = (/** @type {number} */ code) => pairOfCode(code).map(nameOf).join(" and ");
    offerAny(this.#pair, facets.pair, mostFrequent(facets.pair), pair, words);
    this.#steps.show(filters.steps && "at" in filters.steps ? null : filters.steps);
    this.#flip.show(filters.flip);
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }
}

/** @param {string} text */
function number(text) {
  return text === ANY ? null : Number(text);
}

/** @param {Map<number, number>} counts */
function inOrder(counts) {
  return [...counts.keys()].sort((one, other) => one - other);
}

/** @param {Map<number, number>} counts */
function mostFrequent(counts) {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.slice(0, MOST_PAIRS).map(([key]) => key);
}

/**
 * Offers "any", the values that select at least one sample (with their counts), and the chosen value.
 * @template {string | number} Value
 * @param {HTMLSelectElement} node
 * @param {Map<Value, number>} counts
 * @param {readonly Value[]} values
 * @param {Value | null} chosen
 * @param {(value: Value) => string} words
 */
function offerAny(node, counts, values, chosen, words) {
  const left = values.filter((value) => counts.has(value) || value === chosen);
  if (chosen !== null && !left.includes(chosen)) left.push(chosen);
  setOptions(node, [[ANY, "any"], ...left.map((value) => choice(value, words(value), counts.get(value)))]);
  node.value = String(chosen ?? ANY);
}

/**
 * @param {string | number} value
 * @param {string} words
 * @param {number} [count]
 * @returns {[string, string]}
 */
function choice(value, words, count = 0) {
  return [String(value), `${words} (${formatCount(count)})`];
}
