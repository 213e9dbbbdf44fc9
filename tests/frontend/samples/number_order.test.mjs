import assert from "node:assert/strict";
import { test } from "node:test";
import { sortedByKey } from "../../../frontend/samples/number_order.js";

let seed = 1;
const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const VALUES = [0, -0, 1, -1, 1e-310, -1e-310, 1e308, -1e308, Number.MAX_VALUE, Infinity, -Infinity, 0.1, 2 ** 40];

for (const [name, valueOf] of Object.entries({
  "any number": () => (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20),
  "few numbers, so that many are equal": () => VALUES[Math.floor(random() * VALUES.length)],
  "whole numbers": () => Math.floor(random() * 1000),
  "one number": () => 7,
})) {
  test(`${name}: the order is that of a stable sort`, () => {
    for (const count of [0, 1, 2, 500]) {
      const keys = Float64Array.from({ length: count }, valueOf);
      const positions = Uint32Array.from(keys, (_, position) => count - 1 - position);
      const expected = [...positions].sort((one, other) => (keys[one] === keys[other] ? 0 : keys[one] < keys[other] ? -1 : 1));
      assert.deepEqual([...sortedByKey(positions, keys)], expected);
      assert.deepEqual([...positions], [...keys.keys()].reverse(), "the given positions stay");
    }
  });
}
