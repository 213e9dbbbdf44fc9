/** Plays the morphs back and forth: it changes the strength with each frame. */

/** The time from one end to the other, in milliseconds. */
const SWEEP_MS = 2_400;
/** How long each recorded strength is shown if the user prefers reduced motion, in milliseconds. */
const STAND_MS = 900;

/**
 * The strength at a time, in a smooth swing between 0 and the largest strength.
 * @param {number} elapsed milliseconds since the strength was 0
 * @param {number} largest
 */
export function swing(elapsed, largest) {
  return (largest * (1 - Math.cos((Math.PI * elapsed) / SWEEP_MS))) / 2;
}

/**
 * The time of a strength while the swing moves up; the inverse of `swing`.
 * @param {number} strength
 * @param {number} largest
 */
export function elapsedAt(strength, largest) {
  const share = largest ? Math.min(Math.max(strength / largest, 0), 1) : 0;
  return (SWEEP_MS * Math.acos(1 - 2 * share)) / Math.PI;
}

/**
 * The recorded strength at a time: one after the other, up and down.
 * @param {number} elapsed
 * @param {number[]} recorded ascending
 */
export function stepwise(elapsed, recorded) {
  const last = recorded.length - 1;
  const position = Math.floor(elapsed / STAND_MS) % Math.max(2 * last, 1);
  return recorded[position <= last ? position : 2 * last - position];
}

/**
 * @typedef {object} PlayerHost
 * @property {() => {strength: number, largest: number, recorded: number[]}} current the present strengths; the
 *   player waits while `largest` is 0
 * @property {(strength: number) => void} onStrength
 * @property {(playing: boolean) => void} onPlaying
 * @property {() => boolean} isReducedMotion whether the user prefers reduced motion: then only recorded strengths
 *   are shown
 * @property {() => boolean} isHidden whether the page is hidden: then the player waits
 */

export class Player {
  #frame = 0;

  /** @param {PlayerHost} host */
  constructor(host) {
    this.host = host;
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
    this.host.onPlaying(false);
  }

  #play() {
    const { strength, largest } = this.host.current();
    if (!largest) return;
    let before = performance.now();
    let elapsed = this.host.isReducedMotion() ? 0 : elapsedAt(strength, largest);
    let shown = strength;
    const show = (/** @type {number} */ time) => {
      this.#frame = requestAnimationFrame(show);
      const { largest, recorded } = this.host.current();
      const waits = this.host.isHidden() || !largest;
      if (!waits) elapsed += Math.max(time - before, 0);
      before = time;
      if (waits) return;
      const next = this.host.isReducedMotion() ? stepwise(elapsed, recorded) : swing(elapsed, largest);
      if (next !== shown) this.host.onStrength((shown = next));
    };
    this.#frame = requestAnimationFrame(show);
    this.host.onPlaying(true);
  }
}
