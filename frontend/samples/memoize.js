/** Keeps the last result of a function. */

/**
 * A function that computes its result only if an input has changed since the last call.
 * @template State, Answer
 * @param {(state: State) => readonly unknown[]} inputs everything that `compute` reads, compared with `===`
 * @param {(state: State) => Answer} compute
 * @returns {(state: State) => Answer}
 */
export function memoize(inputs, compute) {
  /** @type {{inputs: readonly unknown[], answer: Answer} | null} */
  let last = null;
  return (state) => {
    const now = inputs(state);
    if (!last || now.some((input, position) => input !== last?.inputs[position])) {
      last = { inputs: now, answer: compute(state) };
    }
    return last.answer;
  };
}
