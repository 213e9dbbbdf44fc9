/** Which key does what. Pure; `views/help.js` lists the same table. */

/**
 * @typedef {"left" | "right" | "up" | "down" | "first" | "last" | "open" | "stronger" | "weaker" | "play"
 *   | "search" | "help"} Command
 */

/** @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} Press */

/**
 * What has the focus: a field that takes text, one that takes the arrows and space (a slider, a
 * choice), something that space or Enter presses, a sample's card, or nothing of all these.
 * @typedef {"text" | "choice" | "button" | "card" | "page"} Focus
 */

/** @type {Record<string, Command>} */
const ANYWHERE = { "+": "stronger", "=": "stronger", "-": "weaker", "−": "weaker", "/": "search", "?": "help" };
/** @type {Record<string, Command>} */
const ON_CARDS = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
  Enter: "open",
};

/** What the help says of them. @type {[string[], string][]} */
export const KEYS = [
  [["←", "→", "↑", "↓"], "go from sample to sample; Home and End go to the first and the last"],
  [["Enter"], "opens the sample large; there ← and → go to its neighbours"],
  [["Esc"], "closes what is open"],
  [["+", "−"], "change the strength of all morphs by 0.05"],
  [["Space"], "plays the morphs back and forth"],
  [["/"], "goes to the search box"],
  [["?"], "opens this help"],
];

/** By how much `+` and `−` change the strength. */
export const STRENGTH_STEP = 0.05;

/**
 * What a key means, `null` where it is somebody else's: keys with Ctrl, Alt or ⌘ are the browser's,
 * and those that a field or a button understands are its own.
 * @param {Press} press
 * @param {Focus} focus
 * @returns {Command | null}
 */
export function commandOf({ key, ctrlKey, metaKey, altKey }, focus) {
  if (ctrlKey || metaKey || altKey || focus === "text") return null;
  // A choice goes to the option that begins with a typed sign, but none does with one of these.
  const anywhere = Object.hasOwn(ANYWHERE, key) ? ANYWHERE[key] : null;
  if (anywhere) return anywhere;
  if (key === " ") return focus === "page" || focus === "card" ? "play" : null;
  if (focus !== "page" && focus !== "card") return null;
  return Object.hasOwn(ON_CARDS, key) ? ON_CARDS[key] : null;
}

/**
 * The strength after a press of `+` or `−`: the next multiple of the step.
 * @param {number} strength
 * @param {"stronger" | "weaker"} command
 * @param {number} largest
 */
export function nextStrength(strength, command, largest) {
  const steps = strength / STRENGTH_STEP;
  const next = command === "stronger" ? Math.floor(steps + 1 + 1e-6) : Math.ceil(steps - 1 - 1e-6);
  // In hundredths, so that no dust of binary fractions gathers.
  return Math.min(Math.max(Math.round(next * STRENGTH_STEP * 100) / 100, 0), largest);
}

/**
 * The place of the sample that an arrow leads to from another; beyond the ends it stays.
 * @param {number} place
 * @param {Command} command
 * @param {number} columns
 * @param {number} count of samples, at least 1
 */
export function neighbour(place, command, columns, count) {
  const last = count - 1;
  const to = {
    left: place - 1,
    right: place + 1,
    up: place - columns,
    down: place + columns,
    first: 0,
    last,
  }[/** @type {string} */ (command)];
  if (to === undefined) return place;
  if (command === "down" && to > last && Math.floor(last / columns) > Math.floor(place / columns)) return last;
  return to < 0 || to > last ? place : to;
}
