/**
 * Wires the page together.
 *
 * When the user changes something, a view calls `onChange` with a transition. `#change` applies it to the state,
 * `#update` shows the new state in all views, and `Sync` fetches what the new state needs. When the back end has
 * something new, `Sync` calls back, a transition puts it into the state, and `#update` shows it.
 */

import { ArrayCache } from "./data/array_cache.js";
import { PictureLoader } from "./data/picture_loader.js";
import { Later, nextFrame } from "./data/yielding.js";
import { loadReviews, saveReviews } from "./data/review_store.js";
import { Sync } from "./data/sync.js";
import { toLink, withLink } from "./host/permalink.js";
import { addressOf, connect, followLink, followTheme, isReport, writeLink } from "./host/tensorboard_host.js";
import {
  capturesOf,
  matrixInUse,
  namesOf,
  recordedStrengths,
  samplesInUse,
  selectedSample,
  shownSamples,
  strengthInUse,
  tickedRuns,
} from "./state/selectors.js";
import { initialState } from "./state/state.js";
import { withIndexes, withReview, withRunOrder, withRuns, withStrength } from "./state/transitions.js";
import { REVIEWS } from "./samples/label_review.js";
import { sampleKeyAt } from "./views/card/card.js";
import { element } from "./views/common/dom.js";
import { nextStrength } from "./views/common/key_commands.js";
import { listenToKeyboard } from "./views/common/keyboard_listener.js";
import { NoticeList } from "./views/common/notice_list.js";
import { ProblemList, emptyState, note, emptyReason } from "./views/common/messages.js";
import { displaySettings } from "./views/common/sample_view.js";
import { Sidebar } from "./views/sidebar/sidebar.js";
import { Legend } from "./views/sidebar/legend.js";
import { ActiveFilters } from "./views/toolbar/active_filters.js";
import { AppearanceMenu } from "./views/toolbar/appearance_menu.js";
import { DownloadMenu } from "./views/toolbar/download_menu.js";
import { TargetPicker } from "./views/toolbar/target_picker.js";
import { Player } from "./views/toolbar/player.js";
import { StepBar } from "./views/toolbar/step_bar.js";
import { StrengthBar } from "./views/toolbar/strength_bar.js";
import { ViewTabs } from "./views/toolbar/view_tabs.js";
import { RangeBar } from "./views/toolbar/range_bar.js";
import { VIEWS, viewName } from "./views/registry.js";
import { Detail } from "./views/detail/detail.js";
import { Help } from "./views/help/help.js";

/** @import {Command} from "./views/common/key_commands.js" */
/** @import {View} from "./views/common/view.js" */
/** @import {DisplaySettings, ViewListener} from "./views/common/sample_view.js" */
/** @import {OnChange, State} from "./state/state.js" */
/** @import {Sample, Theme} from "./types.js" */
/** @import {AnchorMode} from "./layout/scroll_anchor.js" */

/** These fields can change with every frame. Then only the visible cards are painted again. */
const PER_FRAME = ["strength", "strengthOverrides", "atFlip"];

/** @param {HTMLElement} root */
export function start(root) {
  new App(root);
}

class App {
  /** @type {State} */
  #state = { ...initialState(), reviews: loadReviews() };
  /** @type {Theme} */
  #theme = "light";
  #settings = displaySettings(this.#state, this.#theme);
  /** @type {Sample[]} the samples that pass the filters */
  #samples = [];
  /** The last state that `#update` has shown. */
  #shownState = this.#state;
  /** @type {string[]} */
  #syncProblems = [];
  /** @type {string | null} */
  #pictureProblem = null;
  #frame = 0;
  #later = new Later();
  /** When something was scrolled last. */
  #lastScroll = -Infinity;
  /** Whether everything was fetched once. Samples that come later are announced. */
  #isSettled = false;

  #sync = new Sync({
    state: () => this.#state,
    isScrolling: () => performance.now() - this.#lastScroll < SCROLL_PAUSE,
    isHidden: () => window.innerHeight === 0,
    onRuns: async (runs, recordVersion) => {
      this.#state = withRuns({ ...this.#state, recordVersion }, runs);
      // Their samples often come at the same time. Then both are shown at once.
      await nextFrame();
      if (this.#shownState !== this.#state) this.#update(this.#state);
    },
    onIndexes: (indexes) => {
      const isNews = this.#isSettled && indexes.some(({ run, tag }) => this.#state.indexes.get(run)?.tag === tag);
      this.#update(withIndexes(this.#state, indexes), undefined, isNews);
    },
    whenPainted: async () => {
      await this.#view.whenShown?.();
      await nextFrame();
      await nextFrame();
      await this.#loader.settled();
    },
    onBusy: (busy) => this.#sidebar.showBusy(busy),
    onEnd: (problems) => {
      this.#isSettled = true;
      this.#syncProblems = problems;
      this.#update(this.#state);
    },
  });
  /** @type {PictureLoader} */
  #loader = new PictureLoader({
    rasterOf: (sample) => this.#view.rasterOf(sample),
    onPicture: (sample, picture) => this.#view.showPicture(sample, picture),
    onProblem: (sample, problem) => this.#view.showProblem(sample, problem),
    onFailure: (problem) => {
      this.#pictureProblem = problem && `The pictures could not be loaded. ${problem}`;
      this.#showProblems();
    },
  });
  #arrays = new ArrayCache();

  /** @type {OnChange} */
  #onChange = (transition) => this.#change(transition(this.#state));
  /** @type {ViewListener} */
  #viewListener = {
    onChange: this.#onChange,
    onWanted: (samples) => this.#loader.want(samples),
    picture: (sample) => this.#loader.picture(sample),
    problem: (sample) => this.#loader.problem(sample),
    onOpen: ({ key }) => this.#onChange((state) => ({ ...state, selected: key })),
  };
  /** @type {Record<string, View>} */
  #views = Object.fromEntries(
    Object.entries(VIEWS).map(([name, { View }]) => [name, new View(this.#settings, this.#viewListener)]),
  );
  #detail = new Detail(this.#settings, {
    arrays: this.#arrays,
    onChange: this.#onChange,
    link: () => addressOf(toLink(this.#state)),
    captures: (sample) => capturesOf(this.#state, sample),
    onClose: (sample) => this.#view.focus(sample),
  });
  #help = new Help(this.#settings, {
    arrays: this.#arrays,
    shown: () => ({ samples: this.#samples, matrix: matrixInUse(this.#state), nameOf: namesOf(this.#state) }),
  });

  #legend = new Legend();
  #stepBar = new StepBar(this.#onChange);
  #sidebar = new Sidebar(this.#onChange, () => this.#reload(), this.#stepBar.element, this.#legend.elements);

  #player = new Player({
    current: () => ({
      strength: this.#settings.strength,
      largest: this.#settings.largestStrength,
      recorded: recordedStrengths(this.#state),
    }),
    onStrength: (strength) => this.#change(withStrength(this.#state, strength), { playing: true }),
    onPlaying: (playing) => {
      this.#strengthBar.showPlaying(playing);
      if (!playing) writeLink(toLink(this.#state), { isChoice: true });
    },
    isReducedMotion: () => window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    isHidden: () => window.innerHeight === 0,
  });
  #strengthBar = new StrengthBar(this.#onChange, () => this.#player.toggle());
  #targetPicker = new TargetPicker(this.#onChange);
  #tabs = new ViewTabs(VIEWS, this.#onChange);
  #rangeBar = new RangeBar(this.#onChange);
  #appearance = new AppearanceMenu(this.#onChange);
  #downloads = new DownloadMenu(() => this.#settings, isReport() ? null : () => toLink(this.#state));
  #activeFilters = new ActiveFilters(this.#onChange);
  #bar = element(
    "header",
    { className: "bar" },
    element(
      "div",
      { className: "top" },
      this.#tabs.element,
      this.#rangeBar.element,
      element("div", { className: "menus" }, this.#appearance.element, this.#downloads.element, this.#help.button),
    ),
    element("div", { className: "tools" }, this.#strengthBar.element, this.#strengthBar.switch, this.#targetPicker.element),
  );

  #problemList = new ProblemList(() => this.#reload());
  #noticeList = new NoticeList(this.#onChange);
  #message = element("div", { className: "message" });
  #main = element(
    "main",
    {},
    this.#bar,
    this.#problemList.element,
    this.#noticeList.element,
    this.#activeFilters.element,
    this.#message,
    ...Object.values(this.#views).map((view) => view.element),
  );

  /** @param {HTMLElement} root */
  constructor(root) {
    document.title = "Gradient Ascent";
    document.documentElement.lang = "en";
    this.#activeFilters.element.append(...Object.values(this.#views).flatMap(({ head }) => head ?? []));
    root.replaceChildren(this.#sidebar.element, this.#main, this.#detail.element, this.#help.element);
    listenToKeyboard((command) => this.#run(command), () => this.#blink(false));
    followTheme((theme) => this.#setTheme(theme));
    connect({
      onReload: () => this.#reload(),
      onRunOrder: (runOrder) => this.#update(withRunOrder(this.#state, runOrder)),
    });
    document.addEventListener("scroll", () => (this.#lastScroll = performance.now()), { capture: true, passive: true });
    window.addEventListener("resize", () => this.#sync.resume());
    followLink((link) => this.#change(withLink(this.#state, link), { fromLink: true }));
    this.#update(this.#state);
    this.#reload();
  }

  #reload() {
    this.#loader.retry();
    this.#sync.reload();
  }

  /** The chosen view. Only this one shows samples and receives their pictures. */
  get #view() {
    return this.#views[viewName(this.#state.view)];
  }

  /**
   * Applies what the user changed.
   * @param {State} state the next one
   * @param {object} [options]
   * @param {boolean} [options.playing] whether the player made the change; any other change of the strength stops the
   *   player
   * @param {boolean} [options.fromLink] whether the change comes from the address
   */
  #change(state, { playing = false, fromLink = false } = {}) {
    const changed = changedFields(this.#state, state);
    if (!changed.length) return;
    if (changed.includes("reviews")) saveReviews(state.reviews);
    if (!playing) {
      if (changed.some((field) => PER_FRAME.includes(field))) this.#player.pause();
      writeLink(toLink(state), { isChoice: !fromLink });
    }
    if (changed.every((field) => PER_FRAME.includes(field))) {
      this.#state = state;
      this.#showStrengthSoon();
      return;
    }
    this.#update(state, changed.includes("sort") ? "never" : "visible");
    // The round that fetches the runs looks at the state after that.
    if (state.runs) this.#sync.update();
  }

  /**
   * Shows a state in all views.
   * @param {State} state
   * @param {AnchorMode} [anchorMode]
   * @param {boolean} [isNews] whether it has new samples of a run that was there before
   */
  #update(state, anchorMode, isNews = false) {
    const before = this.#shownState;
    const samples = shownSamples(state);
    const name = viewName(state.view);
    // A view that concludes does so about all samples of the ticked runs, also if none passes the filters.
    const concludes = VIEWS[name].concludes === true;
    const isVacant = !(concludes ? samplesInUse(state) : samples).length;
    this.#state = state;
    this.#shownState = state;
    this.#samples = samples;
    this.#applySettings(displaySettings(state, this.#theme));
    this.#sidebar.show(state, samples.length, concludes);
    const lostFocus = this.#activeFilters.show(state);
    this.#stepBar.show(state);
    this.#rangeBar.show(state);
    this.#strengthBar.show(this.#settings, recordedStrengths(state));
    this.#appearance.show(state);
    this.#legend.show(this.#settings);
    this.#tabs.show(name);
    for (const [other, view] of Object.entries(this.#views)) {
      view.element.hidden = other !== name;
      if (view.head) view.head.hidden = other !== name || isVacant;
    }
    document.body.classList.toggle("concludes", concludes);
    this.#showMessage();
    this.#showProblems();
    this.#noticeList.show(state);
    // The views come last, because they measure the space that everything above leaves. A ResizeObserver does
    // not report an element that is hidden or resized for less than a frame.
    if (!isVacant) this.#main.classList.remove("vacant");
    for (const view of Object.values(this.#views)) view.show(state, samples, anchorMode, isNews);
    // A view that was hidden did not show anything. It catches up when it becomes visible.
    if (state.view !== before.view) this.#view.refresh();
    if (isVacant) this.#main.classList.add("vacant");
    this.#downloads.show(samples);
    this.#detail.show(selectedSample(state), samples);
    if (lostFocus) this.#focusSamples();
    // What has to look at all samples comes after the samples that the user waits for.
    this.#later.run(
      () => this.#sidebar.showFilters(state),
      () => this.#sidebar.showMatrix(state),
      () => this.#targetPicker.show(state),
    );
  }

  /** Shows the strength with the next frame. The slider can move several times before that. */
  #showStrengthSoon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#applySettings(displaySettings(this.#state, this.#theme));
      this.#strengthBar.show(this.#settings);
    });
  }

  /** @param {Theme} theme */
  #setTheme(theme) {
    this.#theme = theme;
    document.documentElement.dataset.theme = theme;
    this.#appearance.showTheme(theme);
    this.#applySettings({ ...this.#settings, theme });
    this.#legend.show(this.#settings);
  }

  /** @param {DisplaySettings} settings */
  #applySettings(settings) {
    this.#settings = settings;
    for (const view of Object.values(this.#views)) view.applySettings(settings);
    this.#detail.applySettings(settings);
    this.#help.applySettings(settings);
  }

  /** Focuses the samples, so that the arrow keys move from sample to sample; without samples, the search box. */
  #focusSamples() {
    const regions = [...this.#main.querySelectorAll("[role=region]")];
    const region = regions.find((node) => node.clientHeight);
    if (region instanceof HTMLElement) region.focus();
    else this.#sidebar.focusSearch();
  }

  /** @param {Command} command */
  #run(command) {
    if (command === "stronger" || command === "weaker") {
      const largest = this.#settings.largestStrength;
      if (!largest) return;
      this.#onChange((state) => withStrength(state, nextStrength(strengthInUse(state), command, largest)));
    } else if (command === "play") {
      this.#player.toggle();
    } else if (command === "blink") {
      this.#blink(true);
    } else if (command === "search") {
      this.#sidebar.focusSearch();
    } else if (command === "help") {
      this.#help.open();
    } else if (command === "review1" || command === "review2" || command === "review3") {
      const key = sampleKeyAt(document.activeElement);
      const sample = selectedSample(this.#state) ?? samplesInUse(this.#state).find((one) => one.key === key);
      if (sample) this.#onChange((state) => withReview(state, sample, REVIEWS[Number(command.slice(-1)) - 1]));
    } else if (command === "open") {
      this.#view.open();
    } else {
      this.#view.move(command);
    }
  }

  /**
   * Shows the originals in place of the morphs, or the morphs again.
   * @param {boolean} on
   */
  #blink(on) {
    this.#detail.blink(on);
    if (!on || !this.#detail.isOpen) for (const view of Object.values(this.#views)) view.blink(on);
  }

  #showProblems() {
    this.#problemList.show([...this.#syncProblems, ...(this.#pictureProblem ? [this.#pictureProblem] : [])]);
  }

  #showMessage() {
    this.#bar.hidden = !samplesInUse(this.#state).length;
    const content = this.#messageContent();
    this.#message.replaceChildren(...(content ? [content] : []));
  }

  /** What the page says instead of samples. */
  #messageContent() {
    const { runs, indexes } = this.#state;
    if (this.#samples.length) return null;
    if (VIEWS[viewName(this.#state.view)].concludes && samplesInUse(this.#state).length) return null;
    if (runs?.length === 0) return emptyState();
    if (this.#syncProblems.length) return null;
    const isLoading = this.#sync.isStale || tickedRuns(this.#state).some((run) => !indexes.has(run));
    return note(isLoading ? "Loading…" : emptyReason(this.#state));
  }
}

/** After so many milliseconds without a scroll event the user does not scroll any more. */
const SCROLL_PAUSE = 150;

/**
 * @param {State} before
 * @param {State} after
 */
function changedFields(before, after) {
  const fields = /** @type {(keyof State)[]} */ (Object.keys(after));
  return fields.filter((field) => after[field] !== before[field]);
}
