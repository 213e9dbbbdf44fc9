/** Plays the morphs back and forth: it changes the strength with each frame. */

/** The time from one end to the other, in milliseconds. */
const SWEEP = 2_400;
/** How long each recorded strength is shown if the user prefers reduced motion, in milliseconds. */
const STAND = 900;

/**
 * The strength at a time, in a smooth swing between 0 and the largest strength.
 * @param {number} elapsed milliseconds since the strength was 0
 * @param {number} largest
 */
export function swing(elapsed, largest) {
  return (largest * (1 - Math.cos((Math.PI * elapsed) / SWEEP))) / 2;
}

/**
 * The time of a strength while the swing moves up; the inverse of `swing`.
 * @param {number} strength
 * @param {number} largest
 */
export function elapsedAt(strength, largest) {
  const share = largest ? Math.min(Math.max(strength / largest, 0), 1) : 0;
  return (SWEEP * Math.acos(1 - 2 * share)) / Math.PI;
}

/**
 * The recorded strength at a time: one after the other, up and down.
 * @param {number} elapsed
 * @param {number[]} recorded ascending
 */
export function stepwise(elapsed, recorded) {
  const last = recorded.length - 1;
  const place = Math.floor(elapsed / STAND) % Math.max(2 * last, 1);
  return recorded[place <= last ? place : 2 * last - place];
}

/**
 * @typedef {object} Stage
 * @property {() => {strength: number, largest: number, recorded: number[]}} now the present strengths; the player waits
 *   while `largest` is 0
 * @property {(strength: number) => void} onStrength
 * @property {(playing: boolean) => void} onPlaying
 * @property {() => boolean} still whether the user prefers reduced motion: then only recorded strengths are shown
 * @property {() => boolean} hidden whether the page is hidden: then the player waits
 */

export class Player {
  #frame = 0;

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
  }

  get playing() {
    return this.#frame !== 0;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.#play();
  }

  pause() {
    if (!this.playing) return;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.stage.onPlaying(false);
  }

  #play() {
    const { strength, largest } = this.stage.now();
    if (!largest) return;
    let before = performance.now();
    let elapsed = this.stage.still() ? 0 : elapsedAt(strength, largest);
    let shown = strength;
    const show = (/** @type {number} */ time) => {
      this.#frame = requestAnimationFrame(show);
      const { largest, recorded } = this.stage.now();
      const waits = this.stage.hidden() || !largest;
      if (!waits) elapsed += Math.max(time - before, 0);
      before = time;
      if (waits) return;
      const next = this.stage.still() ? stepwise(elapsed, recorded) : swing(elapsed, largest);
      if (next !== shown) this.stage.onStrength((shown = next));
    };
    this.#frame = requestAnimationFrame(show);
    this.stage.onPlaying(true);
  }
}
