/** Brings together what the back end tells, what the user chooses, and what is seen. */

import { fetchIndex, fetchRuns } from "./api.js";
import { ArrayCache } from "./arrays.js";
import { addressOf, connect, followLink, followTheme, writeLink } from "./host.js";
import { nextStrength } from "./keyboard.js";
import { Loader } from "./loader.js";
import { toLink, withLink } from "./permalink.js";
import {
  initialState,
  largestStrength,
  recordedStrengths,
  runColour,
  runsOfTag,
  selectedSample,
  shownSamples,
  tagInUse,
  tickedRuns,
  withIndex,
  withRunOrder,
  withRuns,
} from "./state.js";
import { ActiveFilters } from "./views/active_filters.js";
import { Controls } from "./views/controls.js";
import { Detail } from "./views/detail.js";
import { element } from "./views/dom.js";
import { Grid } from "./views/grid.js";
import { Keys } from "./views/keys.js";
import { Legend } from "./views/legend.js";
import { Problems, emptyState, note } from "./views/messages.js";
import { StrengthBar } from "./views/strength.js";
import { Tabs } from "./views/tabs.js";

/** @import {IndexAnswer} from "./api.js" */
/** @import {Command} from "./keyboard.js" */
/** @import {OnChange, State} from "./state.js" */
/** @import {Sample, Theme} from "./types.js" */
/** @import {Scene} from "./views/card.js" */
/** @import {Stay} from "./views/grid.js" */

/** What may change with every frame: no more than the cards on show is painted for it. */
const QUICK = ["strength"];

/** @param {HTMLElement} root */
export function start(root) {
  new App(root);
}

class App {
  #state = initialState();
  /** @type {Sample[]} */
  #samples = [];
  /** @type {Scene} */
  #scene = { strength: 1, largestStrength: 0, theme: "light", runColour: null };
  /** @type {number | null} */
  #zoom = null;
  /** @type {Map<string, IndexAnswer>} */
  #answers = new Map();
  /** @type {string[]} */
  #problems = [];
  /** @type {string | null} */
  #loadProblem = null;

  #colouredOrder = this.#state.runOrder;
  /** Whether all that is known has to be asked for again. */
  #stale = true;
  #synchronising = new AbortController();
  #busy = false;
  #frame = 0;

  #loader = new Loader({
    onPicture: (sample, picture) => this.#grid.showPicture(sample, picture),
    onProblem: (sample, problem) => this.#grid.showProblem(sample, problem),
    onFailure: (problem) => {
      this.#loadProblem = problem && `The samples cannot be fetched. ${problem}`;
      this.#showProblems();
    },
  });
  #grid = new Grid(this.#scene, {
    onWanted: (samples) => this.#loader.want(samples),
    onCard: (card) => {
      const picture = this.#loader.picture(card.sample);
      const problem = this.#loader.problem(card.sample);
      if (picture) card.showPicture(picture, this.#scene);
      else if (problem) card.showProblem(problem);
    },
    onOpen: ({ key }) => this.#onChange((state) => ({ ...state, selected: key })),
  });
  /** @type {OnChange} */
  #onChange = (transition) => this.#change(transition(this.#state));
  #detail = new Detail(this.#scene, {
    arrays: new ArrayCache(),
    onChange: this.#onChange,
    link: () => addressOf(toLink(this.#state)),
    onClose: (sample) => this.#grid.focus(sample),
  });
  #legend = new Legend();
  #controls = new Controls(this.#onChange, () => this.#reload(), this.#legend.elements);
  #strengthBar = new StrengthBar(this.#onChange);
  #tabs = new Tabs({ samples: this.#grid.element }, this.#onChange);
  #activeFilters = new ActiveFilters(this.#onChange);
  #problemList = new Problems(() => this.#reload());
  #message = element("div", { className: "message" });
  #main = element(
    "main",
    {},
    element("header", { className: "bar" }, this.#tabs.element, this.#strengthBar.element),
    this.#problemList.element,
    this.#activeFilters.element,
    this.#message,
    this.#grid.element,
  );

  /** @param {HTMLElement} root */
  constructor(root) {
    root.replaceChildren(this.#controls.element, this.#main, this.#detail.element);
    new Keys((command) => this.#obey(command));
    followTheme((theme) => this.#setTheme(theme));
    connect({
      onReload: () => this.#reload(),
      onRunOrder: (runOrder) => this.#update(withRunOrder(this.#state, runOrder)),
    });
    window.addEventListener("resize", () => {
      if (this.#stale && !this.#busy) this.#synchronise();
    });
    followLink((link) => this.#change(withLink(this.#state, link)));
    this.#update(this.#state);
    this.#reload();
  }

  /** @param {Theme} theme */
  #setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    this.#legend.showTheme(theme);
    this.#setScene({ ...this.#scene, theme });
  }

  #reload() {
    this.#stale = true;
    this.#loader.retry();
    this.#synchronise();
  }

  /** Fetches what is not known yet or no longer; an earlier round is given up, answers and all. */
  async #synchronise() {
    this.#synchronising.abort();
    if (window.innerHeight === 0) {
      this.#showBusy(false);
      return;
    }
    this.#synchronising = new AbortController();
    const { signal } = this.#synchronising;
    /** @type {string[]} */
    const problems = [];
    this.#showBusy(true);
    try {
      if (this.#stale || !this.#state.runs) {
        const runs = await fetchRuns(signal);
        this.#update(withRuns(this.#state, runs));
      }
      const tag = tagInUse(this.#state);
      await Promise.all(
        tickedRuns(this.#state).map(async (run) => {
          if (tag === null || (!this.#stale && this.#state.indexes.has(run))) return;
          try {
            await this.#fetchIndex(run, tag, signal);
          } catch (error) {
            problems.push(`The samples of ${run} cannot be listed. ${wordsOf(error)}`);
          }
        }),
      );
    } catch (error) {
      problems.push(`The runs cannot be listed. ${wordsOf(error)}`);
    }
    if (signal.aborted) return;
    this.#stale = false;
    this.#problems = problems;
    this.#showBusy(false);
    this.#update(this.#state);
  }

  /**
   * @param {string} run
   * @param {string} tag
   * @param {AbortSignal} signal
   */
  async #fetchIndex(run, tag, signal) {
    const name = JSON.stringify([run, tag]);
    const answer = await fetchIndex(run, tag, signal, this.#answers.get(name));
    if (signal.aborted) return;
    this.#answers.set(name, answer);
    this.#update(withIndex(this.#state, answer.index));
  }

  /**
   * What the user chose.
   * @param {State} state
   */
  #change(state) {
    const before = this.#state;
    if (state === before) return;
    writeLink(toLink(state));
    const changed = fieldsOf(state).filter((field) => state[field] !== before[field]);
    if (changed.every((field) => QUICK.includes(field))) {
      this.#state = state;
      this.#schedule();
      return;
    }
    this.#update(state, changed.includes("sort") ? "never" : "visible");
    this.#synchronise();
  }

  /**
   * @param {State} state
   * @param {Stay} [stay]
   */
  #update(state, stay) {
    this.#state = state;
    const samples = shownSamples(state);
    const changed = state.chosenZoom !== this.#zoom || !sameSamples(samples, this.#samples);
    this.#samples = samples;
    this.#zoom = state.chosenZoom;
    this.#setScene(this.#nextScene());
    this.#tabs.show(state.view);
    if (changed || stay === "never") this.#grid.show(samples, state.chosenZoom, stay);
    this.#detail.show(selectedSample(state), samples);
    this.#controls.show(state, samples.length);
    this.#activeFilters.show(state);
    this.#strengthBar.show(this.#scene.strength, this.#scene.largestStrength, recordedStrengths(state));
    this.#showMessage();
    this.#showProblems();
  }

  /** @returns {Scene} */
  #nextScene() {
    const state = this.#state;
    const largest = largestStrength(state);
    const several = runsOfTag(state).length > 1;
    const { theme, runColour: colour } = this.#scene;
    const sameColours = several === (colour !== null) && state.runOrder === this.#colouredOrder;
    this.#colouredOrder = state.runOrder;
    return {
      theme,
      largestStrength: largest,
      strength: largest ? Math.min(state.strength, largest) : state.strength,
      runColour: sameColours ? colour : several ? (run) => runColour(this.#state, run) : null,
    };
  }

  /** @param {Scene} scene */
  #setScene(scene) {
    this.#scene = scene;
    this.#grid.setScene(scene);
    this.#detail.setScene(scene);
  }

  /** @param {Command} command */
  #obey(command) {
    if (command === "stronger" || command === "weaker") {
      const largest = this.#scene.largestStrength;
      if (!largest) return;
      this.#onChange((state) => ({ ...state, strength: nextStrength(state.strength, command, largest) }));
    } else if (command === "search") {
      document.getElementById("search")?.focus();
    } else if (command === "open") {
      this.#grid.open();
    } else {
      this.#grid.move(command);
    }
  }

  /** However often the slider moves, each frame is painted once. */
  #schedule() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const { strength } = this.#state;
      this.#setScene({ ...this.#scene, strength });
      this.#strengthBar.show(strength, this.#scene.largestStrength);
    });
  }

  /** @param {boolean} busy */
  #showBusy(busy) {
    this.#busy = busy;
    this.#controls.showBusy(busy);
  }

  #showProblems() {
    this.#problemList.show([...this.#problems, ...(this.#loadProblem ? [this.#loadProblem] : [])]);
  }

  #showMessage() {
    const { runs } = this.#state;
    const waiting = this.#stale || tickedRuns(this.#state).some((run) => !this.#state.indexes.has(run));
    const content = this.#samples.length
      ? null
      : runs?.length === 0
        ? emptyState()
        : this.#problems.length
          ? null
          : waiting
            ? note("Loading…")
            : note(tickedRuns(this.#state).length ? "No sample passes all filters." : "No run is ticked.");
    this.#message.replaceChildren(...(content ? [content] : []));
    this.#main.classList.toggle("vacant", !this.#samples.length);
  }
}

/**
 * @param {Sample[]} some
 * @param {Sample[]} others
 */
function sameSamples(some, others) {
  if (some === others) return true;
  return some.length === others.length && some.every((sample, place) => sample.key === others[place].key);
}

/** @param {State} state */
function fieldsOf(state) {
  return /** @type {(keyof State)[]} */ (Object.keys(state));
}

/** @param {unknown} error */
function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}
