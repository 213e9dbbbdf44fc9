/** What follows from the same inputs is computed once. */

/**
 * `compute`, with its last answer kept for as long as its inputs are the same ones.
 * @template State, Answer
 * @param {(state: State) => readonly unknown[]} inputs all that `compute` reads
 * @param {(state: State) => Answer} compute
 * @returns {(state: State) => Answer}
 */
export function memoize(inputs, compute) {
  /** @type {{inputs: readonly unknown[], answer: Answer} | null} */
  let last = null;
  return (state) => {
    const now = inputs(state);
    if (!last || now.some((input, place) => input !== last?.inputs[place])) {
      last = { inputs: now, answer: compute(state) };
    }
    return last.answer;
  };
}
