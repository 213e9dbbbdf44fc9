/** Which key does what. Pure. The help shows the same table. */

/**
 * @typedef {"left" | "right" | "up" | "down" | "first" | "last" | "open" | "stronger" | "weaker" | "play"
 *   | "blink" | "search" | "help" | "review1" | "review2" | "review3"} Command
 */

/** @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} Press */

/**
 * What has the focus.
 * - "text": a field for text.
 * - "choice": a field that uses the arrows and space, such as a slider.
 * - "list": a choice that also uses letters: it jumps to the option that starts with the typed one.
 * - "button": an element that space or Enter presses.
 * - "item": a button in a list. The arrow keys go to the next item, and space or Enter presses it.
 * - "card": the card of a sample.
 * - "page": anything else.
 *
 * @typedef {"text" | "choice" | "list" | "button" | "item" | "card" | "page"} Focus
 */

/** @type {Record<string, Command>} */
const ANYWHERE = {
  "+": "stronger",
  "=": "stronger",
  "-": "weaker",
  "−": "weaker",
  "/": "search",
  "?": "help",
};
/** @type {Record<string, Command>} */
const LETTERS = { b: "blink", B: "blink", 1: "review1", 2: "review2", 3: "review3" };
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

/** The keys in the help. @type {[string[], string][]} */
export const KEYS = [
  [["←", "→", "↑", "↓"], "Go from sample to sample. Home and End go to the first and the last sample."],
  [["Enter"], "Open the sample. In the dialog, ← and → go to the previous and the next sample."],
  [["Esc"], "Close a dialog or a menu."],
  [["+", "−"], "Change the strength of all morphs by 0.05."],
  [["Space"], "Play the morphs back and forth, or pause."],
  [["B"], "Hold: show the originals in place of the morphs, or of the focused sample's morphs."],
  [["1", "2", "3"], "Review the label of the focused or open sample: mislabelled, ambiguous, the model's fault."],
  [["/"], "Go to the search box."],
  [["?"], "Open this help."],
];

/** By how much `+` and `−` change the strength. */
const STRENGTH_STEP = 0.05;

/**
 * The command of a key. `null` if the key is for the browser (with Ctrl, Alt or ⌘), or for the focused field or button.
 * @param {Press} press
 * @param {Focus} focus
 * @returns {Command | null}
 */
export function commandOf({ key, ctrlKey, metaKey, altKey }, focus) {
  if (ctrlKey || metaKey || altKey || focus === "text") return null;
  // A list jumps to the option that starts with the typed character. No option starts with one of these.
  const anywhere = Object.hasOwn(ANYWHERE, key) ? ANYWHERE[key] : null;
  if (anywhere) return anywhere;
  if (Object.hasOwn(LETTERS, key)) return focus === "list" ? null : LETTERS[key];
  if (key === " ") return focus === "page" || focus === "card" ? "play" : null;
  if (focus === "item" && key === "Enter") return null;
  if (focus !== "page" && focus !== "card" && focus !== "item") return null;
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
  // Rounding to hundredths avoids the errors of binary fractions.
  return Math.min(Math.max(Math.round(next * STRENGTH_STEP * 100) / 100, 0), largest);
}

/**
 * The position that an arrow key leads to. At the ends it stays the same.
 * @param {number} position
 * @param {Command} command
 * @param {number} columns
 * @param {number} count number of samples, at least 1
 */
export function neighbour(position, command, columns, count) {
  const last = count - 1;
  const to = {
    left: position - 1,
    right: position + 1,
    up: position - columns,
    down: position + columns,
    first: 0,
    last,
  }[/** @type {string} */ (command)];
  if (to === undefined) return position;
  if (command === "down" && to > last && Math.floor(last / columns) > Math.floor(position / columns)) return last;
  return to < 0 || to > last ? position : to;
}
