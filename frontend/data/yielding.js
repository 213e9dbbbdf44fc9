/** Splits long work into short pieces, so that the browser can paint the page between them. */

/** Pieces may follow each other without a pause for this many milliseconds, which is less than half a frame. */
const SLICE = 6;

export class Yielder {
  /** @type {Promise<void>} */
  #last = Promise.resolve();
  #end = -Infinity;

  /** @param {() => number} [now] a clock in milliseconds */
  constructor(now = () => performance.now()) {
    this.now = now;
  }

  /**
   * Waits until the caller may do its next piece of work. Callers take their turns in the order of their calls.
   * @param {number} [slice] for how many milliseconds pieces may follow each other
   */
  turn(slice = SLICE) {
    this.#last = this.#last.then(async () => {
      if (this.now() < this.#end) return;
      await pause();
      this.#end = this.now() + slice;
    });
    return this.#last;
  }
}

/** Does work after the next frame, each piece in a task of its own. New work replaces what was not done yet. */
export class Later {
  #newest = 0;

  /** @param {...(() => void)} pieces */
  async run(...pieces) {
    const turn = ++this.#newest;
    await nextFrame();
    for (const piece of pieces) {
      await pause();
      if (turn !== this.#newest) return;
      piece();
    }
  }
}

/** The browser paints no frames of a page that is not visible. */
const LONGEST_FRAME = 200;

/** Waits for the next frame, but not long. */
export function nextFrame() {
  return new Promise((resolve) => {
    requestAnimationFrame(resolve);
    setTimeout(resolve, LONGEST_FRAME);
  });
}

/** Lets the browser do other work. A timer would wait at least 4 ms, and seconds in a hidden page. */
export function pause() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(null);
  });
}
