/** Runs the morph back and forth. The page hands it its clock, and is told each strength. */

/** From one end to the other, in milliseconds. */
const SWEEP = 2_400;
/** How long a recorded strength stands still, where motion is not wanted. */
const STAND = 900;

/**
 * A swing that rests at its ends.
 * @param {number} elapsed milliseconds since it stood at 0
 * @param {number} largest
 */
export function swing(elapsed, largest) {
  return (largest * (1 - Math.cos((Math.PI * elapsed) / SWEEP))) / 2;
}

/**
 * How long ago a swing that moves up stood at 0.
 * @param {number} strength
 * @param {number} largest
 */
export function elapsedAt(strength, largest) {
  const share = largest ? Math.min(Math.max(strength / largest, 0), 1) : 0;
  return (SWEEP * Math.acos(1 - 2 * share)) / Math.PI;
}

/**
 * The strengths that were recorded, one after the other, there and back.
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
 * @property {() => {strength: number, largest: number, recorded: number[]}} now what is on it: where
 *   nothing is, it waits
 * @property {(strength: number) => void} onStrength
 * @property {(playing: boolean) => void} onPlaying
 * @property {() => boolean} still whether motion is not wanted: then it goes in recorded steps
 * @property {() => boolean} hidden whether nobody sees it: then it waits
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
