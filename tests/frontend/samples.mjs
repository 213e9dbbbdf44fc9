/** Made-up samples, as `api.js` hands them on. */

export const DIGITS = {
  session: "s",
  started: 0,
  version: 1,
  class_names: [..."0123456789"],
  mean: null,
  std: null,
  bounds: [[0], [1]],
};

/** A sample that is said to be a 5, or an 8; each argument replaces a field. */
export function makeSample(fields = {}) {
  const index = fields.index ?? 0;
  return {
    key: `run|s.0.${index}`,
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
    targets: [makeTarget()],
    every: null,
    payload: { bytes: 10, crc32c: 0 },
    ...fields,
  };
}

export function makeTarget(fields = {}) {
  const target = {
    index: 8,
    probabilities: [0.45, 0.81, 0.95],
    original_probabilities: [0.46, 0.12, 0.03],
    predictions: [5, 8, 8],
    steps: 3,
    stopped: "confidence",
    gradient_norm: 1,
    delta_norm: 1,
    ...fields,
  };
  return { ...target, flip_position: target.predictions.indexOf(target.index) };
}
