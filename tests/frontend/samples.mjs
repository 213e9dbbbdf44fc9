/** Made-up samples, as `api.js` hands them on. */

export const DIGITS = {
  session: "s",
  started: 0,
  version: 1,
  class_names: [..."0123456789"],
  mean: null,
  std: null,
  bounds: [[0], [1]],
  ascents: [],
  judges: [],
};

/** A sample that is said to be a 5, or an 8; each argument replaces a field. */
export function makeSample(fields = {}) {
  const { index = 0, targets = [makeTarget()] } = fields;
  const arrays = targets.reduce((sum, { morphs }) => sum + 1 + morphs.length, 0);
  return {
    key: `run|confused|s.0.${index}`,
    address: `s.0.${index}`,
    run: "run",
    tag: "confused",
    session: DIGITS,
    capture: 0,
    index,
    wall_time: 0,
    version: 1,
    step: 300,
    probe: false,
    id: null,
    label: 5,
    shape: [1, 2, 2],
    classes: [5, 8, 3],
    probabilities: [0.46, 0.45, 0.05],
    margin: 0.01,
    entropy: 1.27,
    loss: 0.78,
    strengths: [0, 0.5, 1],
    bounds: null,
    targets,
    every: null,
    payload: { bytes: 10, crc32c: 0, codecs: [0, ...Array(arrays).fill(1)] },
    ...fields,
  };
}

/**
 * A target with one morph; each argument replaces a field of the target, or of its morph. `morphs` replaces the morph.
 */
export function makeTarget({ index = 8, direction = 1, gradient_norm = 1, gradient_p99 = 0.5, ...fields } = {}) {
  const morphs = (fields.morphs ?? [fields]).map((morph) => ({
    ...morph,
    flip_position: morph.flip_position ?? makeMorph(morph).predictions.indexOf(index),
  }));
  return { index, direction, gradient_norm, gradient_p99, morphs: morphs.map(makeMorph) };
}

/** A morph towards the class 8; each argument replaces a field. */
export function makeMorph(fields = {}) {
  const morph = {
    name: "smallest",
    probabilities: [0.45, 0.81, 0.95],
    original_probabilities: [0.46, 0.12, 0.03],
    predictions: [5, 8, 8],
    steps: 3,
    stopped: "confidence",
    delta_norm: 1,
    largest_change: 0.25,
    mean_change: 0.125,
    survived: [],
    spread: null,
    judges: [],
    ...fields,
  };
  return { flip_position: morph.predictions.indexOf(8), ...morph };
}

/** The answers of a judge; each argument replaces a field. */
export function makeJudge(fields = {}) {
  return {
    name: "ema",
    probabilities: [0.3, 0.6, 0.88],
    original_probabilities: [0.6, 0.3, 0.1],
    predictions: [5, 8, 8],
    ...fields,
  };
}

/** Widths of letters, in CSS pixels. */
const LETTERS = { title: 6.2, chip: 6.5, small: 5.8 };

/** The width of a text in a font whose letters are all alike. */
export function measure(text, kind) {
  return text.length * LETTERS[kind];
}
