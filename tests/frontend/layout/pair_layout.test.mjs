import assert from "node:assert/strict";
import { test } from "node:test";

import { HEADER, boxInPair, pairLayout, placesOfPairs } from "../../../frontend/layout/pair_layout.js";
import { makeSample, makeTarget, measure } from "../samples.mjs";

const frame = { measure, ratio: 1, zoom: null, targets: "all", choices: new Map() };
const tall = makeSample({ targets: [makeTarget(), makeTarget({ index: 5 })] });
const pairs = Array.from({ length: 5 }, () => ({ first: tall, second: makeSample() }));

/** Where both cards of a pair stand in the whole. */
const boxes = (layout, position) =>
  [0, 1].map((which) => {
    const box = boxInPair(layout, position, which);
    return { ...box, top: box.top + layout.tops[position] };
  });
const overlap = (one, other) =>
  one.left < other.left + other.width &&
  other.left < one.left + one.width &&
  one.top < other.top + other.height &&
  other.top < one.top + one.height;

for (const width of [400, 1120]) {
  test(`in a width of ${width} no cards overlap, and all are within`, () => {
    const layout = pairLayout(pairs, { ...frame, width });
    const all = pairs.flatMap((_, position) => boxes(layout, position));
    all.forEach((box, at) => {
      for (const other of all.slice(at + 1)) assert.ok(!overlap(box, other));
      assert.ok(box.left + box.width <= placesOfPairs(layout).size.width);
      assert.ok(box.top + box.height <= placesOfPairs(layout).size.height);
    });
    pairs.forEach((_, position) => {
      for (const box of boxes(layout, position)) assert.ok(box.top >= layout.tops[position] + HEADER);
    });
  });
}

test("the cards of a pair are side by side if there is space, otherwise one above the other", () => {
  const wide = boxes(pairLayout(pairs, { ...frame, width: 1120 }), 0);
  assert.equal(wide[0].top, wide[1].top);
  const narrow = boxes(pairLayout(pairs, { ...frame, width: 400 }), 0);
  assert.equal(narrow[0].left, narrow[1].left);
});

test("the original of a pair is drawn once", () => {
  const { cards } = pairLayout(pairs, { ...frame, width: 1120 });
  for (const [first, second] of cards) {
    assert.ok(first.panels.image);
    assert.equal(second.panels.image, null);
    assert.equal(second.panels.targets[0].gradient[0], 0);
  }
});
