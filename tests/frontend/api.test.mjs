import assert from "node:assert/strict";
import { test } from "node:test";
import { DAMAGED, READY, readIndex, readPayloads } from "../../frontend/api.js";

test("each payload is found in the answer, and an answer that is cut is an error", () => {
  const answer = Uint8Array.of(0, 0, 0, 0, 2, 0, 0, 0, 7, 9, 2, 0, 0, 0, 0, 0, 0, 0).buffer;
  const [ready, damaged] = readPayloads(answer, 2);
  assert.deepEqual([ready.status, [...ready.bytes]], [READY, [7, 9]]);
  assert.deepEqual([damaged.status, damaged.bytes.length], [DAMAGED, 0]);
  assert.throws(() => readPayloads(answer.slice(0, 9), 1), /cut short/);
  assert.throws(() => readPayloads(answer, 3), /too early/);
});

test("an index brings its sessions to its samples, and every number is one", () => {
  const target = { index: 8, probabilities: ["NaN", 0.5], gradient_norm: "Infinity", delta_norm: null };
  const record = { session: 1, capture: 12, index: 0, margin: "NaN", probabilities: ["-Infinity"], strengths: [0, 1] };
  const index = readIndex({
    run: "a/b",
    tag: "confused",
    counts: {},
    sessions: [{ session: "s0" }, { session: "s1" }],
    samples: [{ ...record, targets: [target] }],
  });
  const [sample] = index.samples;
  assert.equal(sample.key, "a/b|s1.12.0");
  assert.equal(sample.session.session, "s1");
  assert.deepEqual([sample.margin, ...sample.probabilities], [NaN, -Infinity]);
  assert.deepEqual(sample.targets[0].probabilities, [NaN, 0.5]);
  assert.deepEqual(sample.targets[0].original_probabilities, [NaN, 0.5], "where the record leaves them out");
  assert.deepEqual([sample.targets[0].gradient_norm, sample.targets[0].delta_norm], [Infinity, null]);
});
