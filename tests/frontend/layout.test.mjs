import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boxOf,
  cardLayout,
  comfortableZoom,
  gridLayout,
  samplesBetween,
  sizeOf,
  withLead,
} from "../../frontend/layout.js";
import { makeSample, makeTarget } from "./samples.mjs";

const SHAPE = [1, 28, 28];

function overlap([x, y, width, height], [left, top, across, down]) {
  return x < left + across && left < x + width && y < top + down && top < y + height;
}

for (const zoom of [0.125, 0.5, 1, 3, 6]) {
  test(`at × ${zoom} panels are as large as the image, apart, and on the canvas`, () => {
    const targets = [makeTarget(), makeTarget({ index: 5 }), makeTarget({ index: 1, delta_norm: null })];
    const { canvas, panels } = cardLayout(makeSample({ shape: [3, 20, 40], targets }), zoom);
    const rectangles = [panels.image, ...panels.targets.flatMap(({ gradient, morph }) => [gradient, morph])];
    const present = rectangles.filter((rectangle) => rectangle !== null);
    assert.equal(present.length, 6);
    present.forEach((one, i) => {
      assert.deepEqual(one.slice(2), [40, 20]);
      assert.ok(one.every(Number.isInteger));
      assert.ok(one[0] + one[2] <= canvas.width && one[1] + one[3] <= canvas.height);
      assert.ok(present.every((other, j) => i === j || !overlap(one, other)));
    });
  });
}

for (const zoom of [0.125, 0.5, 1, 3, 6]) {
  for (const [channels, length] of [[1, 20], [3, 187], [12, 5000], [64, 100]]) {
    test(`at × ${zoom} a signal of ${channels} × ${length} is a strip that can be seen`, () => {
      const { canvas, drawable, panels } = cardLayout(makeSample({ shape: [channels, length] }), zoom);
      const [{ gradient, morph }] = panels.targets;
      for (const [x, y, width, height] of [panels.image, gradient, morph]) {
        assert.equal(width, Math.min(length, 512));
        assert.equal(height % channels, 0);
        assert.ok(height * zoom >= 48 && Number.isInteger(height));
        assert.ok(x + width <= canvas.width && y + height <= canvas.height);
      }
      assert.ok(!overlap(panels.image, gradient) && !overlap(gradient, morph));
      assert.ok(drawable);
    });
  }
}

test("a title has the lines that its words need", () => {
  const names = { class_names: ["cat", "dog"] };
  const fields = { shape: SHAPE, classes: [0, 1], session: { ...makeSample().session, ...names } };
  const lines = (label) => cardLayout(makeSample({ ...fields, label }), 1).titleLines;
  assert.deepEqual([lines(0), lines(null)], [1, 2]);
});

test("a sample without targets is its image alone", () => {
  const { canvas } = cardLayout(makeSample({ shape: SHAPE, targets: [], strengths: [] }), 3);
  assert.deepEqual(canvas, { width: 28, height: 28 });
});

test("small images are enlarged and large ones reduced", () => {
  const zooms = [8, 28, 32, 64, 96, 224, 512].map((side) => comfortableZoom(makeSample({ shape: [1, side, side] })));
  assert.deepEqual(zooms, [6, 3, 3, 2, 1, 0.5, 0.25]);
});

test("signals are enlarged and reduced by their length", () => {
  const zooms = [20, 64, 187, 512, 16000].map((length) => comfortableZoom(makeSample({ shape: [12, length] })));
  assert.deepEqual(zooms, [6, 3, 1, 0.5, 0.5]);
});

test("a canvas that no browser holds is not tried", () => {
  const drawable = (side) => cardLayout(makeSample({ shape: [1, side, side] }), 1).drawable;
  assert.ok(drawable(512));
  assert.ok(!drawable(4096));
});

const SAMPLES = Array.from({ length: 10 }, (_, index) => makeSample({ shape: SHAPE, index }));

test("rows are found by where they are", () => {
  const layout = gridLayout(SAMPLES, 3, 1000);
  assert.equal(layout.columns, 2);
  const { top } = boxOf(layout, 4);
  assert.deepEqual(samplesBetween(layout, top + 1, top + 2), { first: 4, end: 6 });
  assert.deepEqual(samplesBetween(layout, 0, 1), { first: 0, end: 0 });
  assert.deepEqual(samplesBetween(layout, 0, 1e9), { first: 0, end: 10 });
  assert.deepEqual(samplesBetween(layout, 1e9, 2e9), { first: 10, end: 10 });
  assert.equal(sizeOf(layout).height, boxOf(layout, 9).top + layout.cards[9].height + 16);
});

test("a lead moves every sample on, and none is lost", () => {
  const layout = withLead(gridLayout(SAMPLES, 3, 1000), 1);
  assert.equal(boxOf(layout, 1).top, boxOf(layout, 2).top);
  assert.ok(boxOf(layout, 0).left > boxOf(layout, 1).left);
  assert.deepEqual(samplesBetween(layout, 0, 1e9), { first: 0, end: 10 });
  assert.deepEqual(samplesBetween(layout, 0, layout.tops[1]), { first: 0, end: 1 });
});

test("an empty grid, and one narrower than a card, still have a layout", () => {
  assert.deepEqual(samplesBetween(gridLayout([], 1, 1000), 0, 500), { first: 0, end: 0 });
  assert.equal(gridLayout(SAMPLES, 6, 100).columns, 1);
});
