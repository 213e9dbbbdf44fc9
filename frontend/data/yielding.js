/** Long work in small pieces, between which the page can be painted. */

/** So long, in milliseconds, pieces may follow each other: less than half of a frame. */
const SLICE = 6;

export class Pacer {
  /** @type {Promise<void>} */
  #last = Promise.resolve();
  #end = -Infinity;

  /** @param {() => number} [now] milliseconds, from anywhere */
  constructor(now = () => performance.now()) {
    this.now = now;
  }

  /** Waits until it is the caller's turn: after all who asked before, and soon after a pause. */
  turn() {
    this.#last = this.#last.then(async () => {
      if (this.now() < this.#end) return;
      await pause();
      this.#end = this.now() + SLICE;
    });
    return this.#last;
  }
}

/** Lets the browser do what is due. A timer would be held back to 4 ms, and hidden pages to seconds. */
function pause() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(null);
  });
}
