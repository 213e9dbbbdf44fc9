/** Brings together what the back end tells, what the user chooses, and what is seen. */

import { fetchRuns } from "./data/api.js";
import { ArrayCache } from "./data/array_cache.js";
import { Catalog } from "./data/run_index.js";
import { addressOf, connect, followLink, followTheme, writeLink } from "./host/tensorboard_host.js";
import { nextStrength } from "./views/common/keyboard.js";
import { Loader } from "./data/picture_loader.js";
import { toLink, withLink } from "./host/permalink.js";
import { Player } from "./views/toolbar/player.js";
import {
  largestStrength,
  matrixInUse,
  namesOf,
  recordedStrengths,
  runColour,
  runsOfTag,
  samplesInUse,
  scaleEnd,
  selectedSample,
  shownSamples,
  strengthInUse,
  tagInUse,
  tickedRuns,
} from "./state/selectors.js";
import { initialState } from "./state/state.js";
import { withIndex, withRunOrder, withRuns, withStrength } from "./state/transitions.js";
import { ActiveFilters } from "./views/toolbar/active_filters.js";
import { Appearance } from "./views/toolbar/appearance.js";
import { Compare } from "./views/compare/compare.js";
import { Controls } from "./views/sidebar/controls.js";
import { Detail } from "./views/detail/detail.js";
import { element } from "./views/common/dom.js";
import { Downloads } from "./views/toolbar/downloads.js";
import { Follow } from "./views/follow/follow.js";
import { Grid } from "./views/grid/grid.js";
import { Help } from "./views/help/help.js";
import { Keys } from "./views/common/keys.js";
import { Legend } from "./views/sidebar/legend.js";
import { MakeIt } from "./views/toolbar/make_it.js";
import { Problems, emptyState, note, whyNothing } from "./views/common/messages.js";
import { StepBar } from "./views/toolbar/steps.js";
import { StrengthBar } from "./views/toolbar/strength.js";
import { Tabs } from "./views/toolbar/tabs.js";

/** @import {Command} from "./views/common/keyboard.js" */
/** @import {OnChange, State} from "./state/state.js" */
/** @import {Sample, Theme} from "./types.js" */
/** @import {Card, Scene} from "./views/card/card.js" */
/** @import {Stay} from "./layout/scroll_anchor.js" */

/** What may change with every frame: no more than the cards on show is painted for it. */
const QUICK = ["strength", "ownStrengths"];
/** What the places and sizes of cards follow from, beside the samples. */
const ARRANGING = /** @type {const} */ (["chosenZoom", "target", "cardChoices"]);

/** @param {HTMLElement} root */
export function start(root) {
  new App(root);
}

class App {
  #state = initialState();
  /** @type {Sample[]} */
  #samples = [];
  /** @type {Scene} */
  #scene = {
    strength: 1,
    ownStrengths: this.#state.ownStrengths,
    largestStrength: 0,
    theme: "light",
    look: this.#state.look,
    scaleEnd: null,
    runColour: null,
  };
  /** The state that the grid was arranged for. */
  #arranged = this.#state;
  /** @type {Map<string, Catalog>} */
  #catalogs = new Map();
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

  /** @type {Loader} */
  #loader = new Loader({
    rasterOf: (sample) => this.#view.rasterOf(sample),
    onPicture: (sample, picture) => this.#view.showPicture(sample, picture),
    onProblem: (sample, problem) => this.#view.showProblem(sample, problem),
    onFailure: (problem) => {
      this.#loadProblem = problem && `The samples cannot be fetched. ${problem}`;
      this.#showProblems();
    },
  });
  /** @type {OnChange} */
  #onChange = (transition) => this.#change(transition(this.#state));
  #grid = new Grid(this.#scene, {
    onChange: this.#onChange,
    onWanted: (samples) => this.#loader.want(samples),
    onCard: (card) => this.#fill(card),
    onOpen: (sample) => this.#open(sample),
  });
  #follow = new Follow(this.#scene, {
    onChange: this.#onChange,
    onWanted: (samples) => this.#loader.want(samples),
    picture: (sample) => this.#loader.picture(sample),
    problem: (sample) => this.#loader.problem(sample),
    onOpen: (sample) => this.#open(sample),
  });
  #compare = new Compare(this.#scene, {
    onChange: this.#onChange,
    onWanted: (samples) => this.#loader.want(samples),
    onCard: (card) => this.#fill(card),
    onOpen: (sample) => this.#open(sample),
  });
  #views = { samples: this.#grid, follow: this.#follow, compare: this.#compare };
  #arrays = new ArrayCache();
  #detail = new Detail(this.#scene, {
    arrays: this.#arrays,
    onChange: this.#onChange,
    link: () => addressOf(toLink(this.#state)),
    onClose: (sample) => this.#view.focus(sample),
  });
  #legend = new Legend();
  #controls = new Controls(this.#onChange, () => this.#reload(), this.#legend.elements);
  #player = new Player({
    now: () => ({
      strength: this.#scene.strength,
      largest: this.#scene.largestStrength,
      recorded: recordedStrengths(this.#state),
    }),
    onStrength: (strength) => this.#change(withStrength(this.#state, strength), { playing: true }),
    onPlaying: (playing) => {
      this.#strengthBar.showPlaying(playing);
      if (!playing) writeLink(toLink(this.#state));
    },
    still: () => window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    hidden: () => window.innerHeight === 0,
  });
  #strengthBar = new StrengthBar(this.#onChange, () => this.#player.toggle());
  #makeIt = new MakeIt(this.#onChange);
  #appearance = new Appearance(this.#onChange);
  #downloads = new Downloads(() => this.#scene);
  #help = new Help(this.#scene, {
    arrays: this.#arrays,
    shown: () => ({ samples: this.#samples, matrix: matrixInUse(this.#state), nameOf: namesOf(this.#state) }),
  });
  #tabs = new Tabs(
    { samples: this.#grid.element, follow: this.#follow.element, compare: this.#compare.element },
    this.#onChange,
  );
  #activeFilters = new ActiveFilters(this.#onChange);
  #tools = element(
    "div",
    { className: "tools" },
    this.#strengthBar.element,
    this.#makeIt.element,
  );
  #problemList = new Problems(() => this.#reload());
  #message = element("div", { className: "message" });
  #stepBar = new StepBar(this.#onChange);
  #bar = element(
    "header",
    { className: "bar" },
    element(
      "div",
      { className: "top" },
      this.#tabs.element,
      this.#stepBar.element,
      element("div", { className: "menus" }, this.#appearance.element, this.#downloads.element, this.#help.button),
    ),
    this.#tools,
  );
  #main = element(
    "main",
    {},
    this.#bar,
    this.#problemList.element,
    this.#activeFilters.element,
    this.#message,
    this.#grid.element,
    this.#follow.element,
    this.#compare.element,
  );

  /** @param {HTMLElement} root */
  constructor(root) {
    document.title = "Gradient Ascent";
    document.documentElement.lang = "en";
    root.replaceChildren(this.#controls.element, this.#main, this.#detail.element, this.#help.element);
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
    this.#appearance.showTheme(theme);
    this.#legend.show(this.#state.look, theme, scaleEnd(this.#state));
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
        const { runs, recordVersion } = await fetchRuns(signal);
        this.#update(withRuns({ ...this.#state, recordVersion }, runs));
      }
      const tag = tagInUse(this.#state);
      await Promise.all(
        tickedRuns(this.#state).map(async (run) => {
          if (tag === null) return;
          const catalog = this.#catalog(run, tag);
          if (!this.#stale && this.#state.indexes.has(run) && catalog.isWhole) return;
          try {
            await catalog.update(signal, (index) => {
              if (!signal.aborted) this.#update(withIndex(this.#state, index));
            });
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
   */
  #catalog(run, tag) {
    const name = JSON.stringify([run, tag]);
    const catalog = this.#catalogs.get(name) ?? new Catalog(run, tag);
    this.#catalogs.set(name, catalog);
    return catalog;
  }

  /**
   * What the user chose.
   * @param {State} state
   * @param {{playing?: boolean}} [options] whether it is but the player, who yields to anybody else
   */
  #change(state, { playing = false } = {}) {
    const before = this.#state;
    if (state === before) return;
    const changed = fieldsOf(state).filter((field) => state[field] !== before[field]);
    if (!playing) {
      if (changed.some((field) => QUICK.includes(field))) this.#player.pause();
      writeLink(toLink(state));
    }
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
    const hasTurned = state.view !== this.#state.view;
    this.#state = state;
    const samples = shownSamples(state);
    const changed =
      ARRANGING.some((field) => state[field] !== this.#arranged[field]) || !sameSamples(samples, this.#samples);
    this.#samples = samples;
    this.#arranged = state;
    this.#setScene(this.#nextScene());
    this.#controls.show(state, samples.length);
    const lostFocus = this.#activeFilters.show(state);
    this.#stepBar.show(state);
    this.#strengthBar.show(this.#scene.strength, this.#scene.largestStrength, recordedStrengths(state));
    this.#makeIt.show(state);
    this.#appearance.show(state);
    this.#legend.show(state.look, this.#scene.theme, scaleEnd(state));
    this.#tabs.show(state.view);
    this.#showMessage();
    this.#showProblems();
    // The views come last: they measure the room that all the rest leaves them. No observer tells them
    // of what is hidden, or of another size, for less than a frame.
    if (samples.length) this.#main.classList.remove("vacant");
    if (changed || stay === "never") this.#showGrid(stay);
    this.#follow.show(state, samples, stay);
    this.#compare.show(state, samples, stay);
    // Nobody told it anything while another one was there.
    if (hasTurned) this.#view.refresh();
    if (!samples.length) this.#main.classList.add("vacant");
    this.#downloads.show(samples);
    this.#detail.show(selectedSample(state), samples);
    if (lostFocus) this.#focusSamples();
  }

  /** Where the arrows go on from sample to sample; without any, where others can be sought. */
  #focusSamples() {
    const regions = [...this.#main.querySelectorAll("[role=region]")];
    const region = regions.find((node) => node.clientHeight);
    if (region instanceof HTMLElement) region.focus();
    else this.#controls.focusSearch();
  }

  /** @param {Stay} [stay] */
  #showGrid(stay) {
    const { chosenZoom: zoom, target, cardChoices: choices } = this.#state;
    this.#grid.show(this.#samples, { zoom, target, choices }, stay);
  }

  /** @returns {Scene} */
  #nextScene() {
    const state = this.#state;
    const several = runsOfTag(state).length > 1;
    const { theme, runColour: colour } = this.#scene;
    const sameColours = several === (colour !== null) && state.runOrder === this.#colouredOrder;
    this.#colouredOrder = state.runOrder;
    return {
      theme,
      look: state.look,
      scaleEnd: scaleEnd(state),
      ownStrengths: state.ownStrengths,
      largestStrength: largestStrength(state),
      strength: strengthInUse(state),
      runColour: sameColours ? colour : several ? (run) => runColour(this.#state, run) : null,
    };
  }

  /** @param {Scene} scene */
  #setScene(scene) {
    this.#scene = scene;
    for (const view of Object.values(this.#views)) view.setScene(scene);
    this.#detail.setScene(scene);
    this.#help.setScene(scene);
  }

  /** The view that is chosen: it alone shows samples, and has what of them is fetched. */
  get #view() {
    return this.#views[this.#state.view];
  }

  /** @param {Sample} sample */
  #open({ key }) {
    this.#onChange((state) => ({ ...state, selected: key }));
  }

  /** @param {Card} card which was just made, still empty */
  #fill(card) {
    const picture = this.#loader.picture(card.sample);
    const problem = this.#loader.problem(card.sample);
    if (picture) card.showPicture(picture, this.#scene);
    else if (problem) card.showProblem(problem);
  }

  /** @param {Command} command */
  #obey(command) {
    if (command === "stronger" || command === "weaker") {
      const largest = this.#scene.largestStrength;
      if (!largest) return;
      this.#onChange((state) => withStrength(state, nextStrength(strengthInUse(state), command, largest)));
    } else if (command === "play") {
      this.#player.toggle();
    } else if (command === "search") {
      this.#controls.focusSearch();
    } else if (command === "help") {
      this.#help.open();
    } else if (command === "open") {
      this.#view.open();
    } else {
      this.#view.move(command);
    }
  }

  /** However often the slider moves, each frame is painted once. */
  #schedule() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const { ownStrengths } = this.#state;
      const strength = strengthInUse(this.#state);
      this.#setScene({ ...this.#scene, strength, ownStrengths });
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
            : note(whyNothing(this.#state));
    this.#message.replaceChildren(...(content ? [content] : []));
    this.#bar.hidden = !samplesInUse(this.#state).length;
  }
}

/**
 * @param {Sample[]} some
 * @param {Sample[]} others
 */
function sameSamples(some, others) {
  if (some === others) return true;
  return (
    some.length === others.length &&
    some.every((sample, place) => sample === others[place] || sample.key === others[place].key)
  );
}

/** @param {State} state */
function fieldsOf(state) {
  return /** @type {(keyof State)[]} */ (Object.keys(state));
}

/** @param {unknown} error */
function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}
