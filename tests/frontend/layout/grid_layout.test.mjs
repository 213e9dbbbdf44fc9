import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cardLayout,
  comfortableZooms,
  gridLayout,
  rasterOf,
  placesOf,
  withLead,
  wrappedLines,
} from "../../../frontend/layout/grid_layout.js";
import { makeJudge, makeMorph, makeSample, makeTarget, measure } from "../samples.mjs";

const SHAPE = [1, 28, 28];

/** A card with a row for each target. */
function layoutOf(sample, fit = {}) {
  return cardLayout(sample, { measure, zoom: 1, ratio: 1, rows: sample.targets.map((_, position) => position), ...fit });
}

function grid(samples, frame = {}) {
  return gridLayout(samples, { measure, zoom: null, ratio: 1, width: 1200, targets: "all", choices: new Map(), ...frame });
}

function overlap([x, y, width, height], [left, top, across, down]) {
  return x < left + across && left < x + width && y < top + down && top < y + height;
}

for (const ratio of [1, 1.25, 2]) {
  for (const zoom of [0.125, 0.5, 1, 3, 6]) {
    test(`at × ${zoom}, ${ratio} pixels a CSS pixel, panels are alike, apart, and on the canvas`, () => {
      const targets = [makeTarget(), makeTarget({ index: 5 }), makeTarget({ index: 1, morphs: [] })];
      const sample = makeSample({ shape: [3, 20, 40], targets });
      const { canvas, panels, raster, scale } = layoutOf(sample, { zoom, ratio });
      const rectangles = [panels.image, ...panels.targets.flatMap(({ gradient, morph, change }) => [gradient, morph, change])];
      const present = rectangles.filter((rectangle) => rectangle !== null);
      assert.equal(present.length, 8);
      present.forEach((one, i) => {
        assert.deepEqual(one.slice(2), [raster.width, raster.height]);
        assert.ok(one.every(Number.isInteger));
        assert.ok(one[0] + one[2] <= canvas.width && one[1] + one[3] <= canvas.height);
        assert.ok(present.every((other, j) => i === j || !overlap(one, other)));
      });
      // As large as asked, but for whole pixels of the screen.
      assert.ok(Math.abs(raster.width * scale - 40 * zoom) <= 20 / ratio);
      const pixels = raster.width * scale * ratio;
      assert.ok(Math.abs(pixels - Math.round(pixels)) < 1e-9);
    });
  }
}

test("an enlarged pixel is a whole number of the screen's, and a reduced image is drawn at its resolution", () => {
  const scaleAt = (zoom, ratio) => rasterOf([1, 100, 100], zoom, ratio).scale * ratio;
  assert.deepEqual([scaleAt(1, 1), scaleAt(3, 1), scaleAt(3, 1.25), scaleAt(1, 1.5), scaleAt(2, 2)], [1, 3, 4, 2, 4]);
  assert.deepEqual(rasterOf([3, 224, 100], 0.5, 1), { raster: { width: 50, height: 112 }, scale: 1 });
  assert.deepEqual(rasterOf([3, 224, 100], 0.25, 2), { raster: { width: 50, height: 112 }, scale: 0.5 });
  assert.deepEqual(rasterOf([3, 224, 100], 0.5, 2), { raster: { width: 100, height: 224 }, scale: 0.5 });
});

for (const [channels, length] of [[1, 20], [3, 187], [12, 5000], [64, 100]]) {
  for (const zoom of [0.125, 1, 6]) {
    test(`at × ${zoom} a signal of ${channels} × ${length} has a row for each channel that can be seen`, () => {
      const { canvas, drawable, panels } = layoutOf(makeSample({ shape: [channels, length] }), { zoom, ratio: 2 });
      const [{ gradient, morph, change }] = panels.targets;
      for (const [x, y, width, height] of [panels.image, gradient, morph, change]) {
        assert.ok(width >= 2 * 84 && width <= 2400);
        assert.ok(height / channels >= 10 && height <= 700);
        assert.ok(x + width <= canvas.width && y + height <= canvas.height);
      }
      assert.ok(!overlap(panels.image, gradient) && !overlap(gradient, morph) && !overlap(morph, change));
      assert.ok(drawable);
    });
  }
}

test("a long title gets two lines", () => {
  const names = { class_names: ["cat", "horse", "soft-coated wheaten terrier"] };
  const fields = { shape: SHAPE, classes: [0, 1], session: { ...makeSample().session, ...names } };
  const lines = (label) => layoutOf(makeSample({ ...fields, label }), { width: 300 }).titleLines;
  assert.deepEqual([lines(0), lines(2)], [1, 2]);
});

test("wide letters count as wide, and titles of nearly one width share a layout", () => {
  const wide = (text, kind) => measure(text, kind) * (/[\u3000-\u9fff]/.test(text) ? 2 : 1);
  const named = (name) => {
    const session = { ...makeSample().session, class_names: [name, name, name] };
    return makeSample({ shape: SHAPE, classes: [0, 1], label: 0, targets: [makeTarget({ index: 0 })], session });
  };
  const lines = (name) => layoutOf(named(name), { measure: wide, width: 420 }).titleLines;
  assert.deepEqual([lines("abcdefg"), lines("一二三四五六七")], [1, 2]);
  const { cards } = grid([named("abcdefgh"), named("hgfedcba"), named("一二三四五六七八")], { measure: wide });
  assert.equal(cards[0], cards[1]);
  assert.notEqual(cards[0], cards[2]);
});

test("the card of a sample without targets has only its image", () => {
  const { canvas, chipLines } = layoutOf(makeSample({ shape: SHAPE, targets: [], strengths: [] }), { zoom: 3 });
  assert.deepEqual([canvas, chipLines], [{ width: 28, height: 28 }, 0]);
});

test("small images are enlarged and large ones reduced", () => {
  const zooms = (side) => comfortableZooms([1, side, side]);
  assert.deepEqual([8, 28, 32, 64, 96, 224, 512].map((side) => zooms(side)[0]), [6, 3, 2, 1, 1, 96 / 224, 96 / 512]);
  assert.deepEqual([zooms(28), zooms(224).at(-1)], [[3, 4, 5, 6], 1]);
  assert.equal(comfortableZooms([12, 5000])[0], 120 / 5000);
});

test("a card with a too large canvas or too large arrays is not drawn", () => {
  const drawable = (side, zoom) => layoutOf(makeSample({ shape: [1, side, side] }), { zoom }).drawable;
  assert.ok(drawable(512, 1));
  assert.ok(!drawable(2500, 1));
  assert.ok(drawable(2500, 0.125));
  assert.ok(!drawable(4096, 0.125));
});

test("a card with a thousand targets has few rows, and ten on demand", () => {
  const targets = Array.from({ length: 1000 }, (_, index) => makeTarget({ index }));
  const sample = makeSample({ shape: SHAPE, targets, key: "many" });
  const [closed] = grid([sample]).cards;
  const [open] = grid([sample], { choices: new Map([["many", "more"]]) }).cards;
  assert.deepEqual([closed.panels.targets.length, closed.chipLines], [3, 1]);
  assert.deepEqual([open.panels.targets.length, open.chipLines], [10, 4]);
  assert.ok(closed.height < 500 && open.height < 1500);
});

test("a target that is chosen for all cards, or for one, is the only row", () => {
  const targets = [makeTarget(), makeTarget({ index: 5 })];
  const samples = ["a", "b"].map((key) => makeSample({ shape: SHAPE, targets, key }));
  const { cards } = grid(samples, { targets: 5, choices: new Map([["b", 8]]) });
  assert.deepEqual(cards.map(({ rows }) => rows), [[1], [0]]);
});

test("cards fill the width first with larger pictures, then with wider texts", () => {
  for (const width of [560, 700, 1105, 1330, 1500, 2500]) {
    const { columns, columnWidth, cards } = grid(SAMPLES, { width });
    const left = width - (columns * (columnWidth + 16) + 16);
    assert.ok(left >= 0 && left < columns, `${left} of ${width}`);
    assert.equal(cards[0].width, columnWidth);
  }
  assert.ok(grid(SAMPLES, { width: 1090 }).cards[0].scale > grid(SAMPLES, { width: 1110 }).cards[0].scale);
  const narrow = grid(SAMPLES, { width: 1110 }).cards[0];
  assert.ok(grid(SAMPLES, { width: 1190 }).cards[0].textWidth > narrow.textWidth);
});

const SAMPLES = Array.from({ length: 10 }, (_, index) => makeSample({ shape: SHAPE, index }));

test("rows are found by their heights", () => {
  const layout = grid(SAMPLES, { zoom: 3 });
  assert.equal(layout.columns, 2);
  const { top } = placesOf(layout).boxOf(4);
  assert.deepEqual(placesOf(layout).between(top + 1, top + 2), { first: 4, end: 6 });
  assert.deepEqual(placesOf(layout).between(0, 1), { first: 0, end: 0 });
  assert.deepEqual(placesOf(layout).between(0, 1e9), { first: 0, end: 10 });
  assert.deepEqual(placesOf(layout).between(1e9, 2e9), { first: 10, end: 10 });
  assert.equal(placesOf(layout).size.height, placesOf(layout).boxOf(9).top + layout.cards[9].height + 16);
});

test("empty cells at the start move every sample on, and none is lost", () => {
  const layout = withLead(grid(SAMPLES, { zoom: 3 }), 1);
  assert.equal(placesOf(layout).boxOf(1).top, placesOf(layout).boxOf(2).top);
  assert.ok(placesOf(layout).boxOf(0).left > placesOf(layout).boxOf(1).left);
  assert.deepEqual(placesOf(layout).between(0, 1e9), { first: 0, end: 10 });
  assert.deepEqual(placesOf(layout).between(0, layout.tops[1]), { first: 0, end: 1 });
});

test("an empty grid and a too narrow grid have a layout", () => {
  assert.deepEqual(placesOf(grid([])).between(0, 500), { first: 0, end: 0 });
  assert.equal(grid(SAMPLES, { zoom: 6, width: 100 }).columns, 1);
});

test("every card fits beside the sidebar of a window of 1024 pixels", () => {
  const shapes = [[1, 8, 8], [1, 28, 28], [3, 32, 32], [1, 50, 50], [3, 64, 64], [3, 128, 128], [3, 129, 100], [3, 170, 170]];
  for (const shape of [...shapes, [3, 224, 224], [3, 100, 1000], [3, 4000, 4000], [1, 10], [2, 300], [12, 5000]]) {
    for (const ratio of [1, 1.25, 2]) {
      const { width } = placesOf(grid([makeSample({ shape })], { width: 1024 - 280, ratio })).size;
      assert.ok(width <= 1024 - 280, `${shape} at ${ratio}: ${width}`);
    }
  }
});

const PHOTOS = Array.from({ length: 4 }, (_, index) =>
  makeSample({ shape: [3, 224, 224], index, targets: [makeTarget(), makeTarget({ index: 5 })] }),
);

test("a wide card has two targets side by side, each with its text", () => {
  const { columns, cards } = grid(PHOTOS, { width: 1100 });
  const [{ panels, canvas, scale, textWidth, rowWidth, bodyWidth, raster }] = cards;
  const [first, second] = panels.targets;
  assert.equal(columns, 1);
  assert.equal(first.gradient[1], second.gradient[1]);
  assert.ok((second.gradient[0] - first.change[0] - raster.width) * scale >= 14 + textWidth);
  assert.ok(textWidth >= 124);
  assert.ok(second.gradient[0] * scale + rowWidth <= bodyWidth);
  assert.equal(canvas.width, second.change[0] + raster.width);
  assert.equal(canvas.height, raster.height);
});

test("a narrow card has its targets one below the other", () => {
  const [{ panels }] = grid(PHOTOS, { width: 880 }).cards;
  const [first, second] = panels.targets;
  assert.equal(first.gradient[0], second.gradient[0]);
  assert.ok(second.gradient[1] > first.gradient[1]);
});

test("pictures do not become so large that only one row of cards is visible", () => {
  const visible = (height) => {
    const { cards, tops } = grid(PHOTOS, { width: 880, height });
    return { width: cards[0].raster.width, rows: tops.filter((top) => top <= height).length - 1 };
  };
  assert.deepEqual(visible(748), { width: 104, rows: 2 });
  assert.ok(visible(950).width > 104);
  assert.deepEqual(visible(950).rows, 2);
  const one = visible(480);
  assert.deepEqual([one.rows, one.width > 104], [1, true], "two rows do not fit with the smallest pictures");
  assert.deepEqual(visible(480).width, grid(PHOTOS, { width: 880 }).cards[0].raster.width);
});

test("the chips stand beside the title if both fit in one line", () => {
  const class_names = Array.from({ length: 10 }, (_, index) => `a class with the number ${index}`);
  const { targets, session } = PHOTOS[0];
  const named = makeSample({ targets, session: { ...session, class_names } });
  const widths = [700, 1300].map((width) => layoutOf(named, { width }));
  assert.deepEqual(widths.map(({ chipsBeside }) => chipsBeside), [false, true]);
  assert.ok(widths[1].height < widths[0].height);
  const closed = layoutOf(makeSample({ targets: [], strengths: [] }), { width: 900 });
  assert.equal(closed.chipsBeside, false);
});

test("a card has one line below its panels, whatever it says", () => {
  const layout = (fields) => layoutOf(makeSample({ shape: [1, 28, 28], targets: [], ...fields }), { zoom: 3 });
  const { height } = layout({});
  assert.equal(layout({ id: "a", probe: true }).height, height);
  // Edges, title, gap, heading, the image, and the line.
  assert.equal(height, 2 * 13 + 20 + 8 + 20 + 84 + 18);
});

test("beside several rows, the step and the others stand below the original", () => {
  const targets = [makeTarget(), makeTarget({ index: 3 })];
  const two = layoutOf(makeSample({ shape: SHAPE, targets }), { zoom: 3 });
  const one = layoutOf(makeSample({ shape: SHAPE }), { zoom: 3 });
  assert.deepEqual([two.metaBelowOriginal, one.metaBelowOriginal], [true, false]);
});

test("a card shows the targets that change the answer, and others on demand", () => {
  const targets = [makeTarget({ index: 5, morphs: [] }), makeTarget()];
  const samples = [
    makeSample({ shape: SHAPE, targets, key: "a" }),
    makeSample({ shape: SHAPE, targets, key: "b" }),
    makeSample({ shape: SHAPE, targets: targets.slice(0, 1), key: "c" }),
    makeSample({ shape: SHAPE, targets, classes: [8, 5], key: "d" }),
  ];
  const choices = new Map([["b", "more"]]);
  const rowsOf = (targets) => grid(samples, { targets, choices }).cards.map(({ rows }) => rows);
  assert.deepEqual(rowsOf("changing"), [[1], [0, 1], [0], [0]]);
  assert.deepEqual(rowsOf("all"), [[0, 1], [0, 1], [0], [0, 1]]);
});

test("a card is only as high as its own rows", () => {
  const two = makeSample({ shape: SHAPE, targets: [makeTarget(), makeTarget({ index: 3 })], key: "two" });
  const layout = grid([two, makeSample({ shape: SHAPE, key: "one" })], { zoom: 3 });
  const [high, low] = [0, 1].map((position) => placesOf(layout).boxOf(position));
  assert.equal(high.top, low.top);
  assert.ok(high.height > low.height + 100);
});

test("texts about survival and judges make a row higher, the same for all kinds of morphs", () => {
  const visible = makeMorph({ name: "visible", survived: [true], judges: [makeJudge(), makeJudge({ name: "b" })] });
  const heightOf = (...morphs) => layoutOf(makeSample({ shape: SHAPE, targets: [makeTarget({ morphs })] }), { zoom: 2 }).rowHeights[0];
  const plain = heightOf(makeMorph());
  assert.equal(heightOf(makeMorph(), visible) - plain, 3 * 16);
  assert.equal(heightOf(makeMorph({ survived: [true] }), visible), heightOf(makeMorph(), visible));
});

test("the reason of an early end has a line of its own, for all kinds of morphs", () => {
  const heightOf = (...morphs) => layoutOf(makeSample({ shape: SHAPE, targets: [makeTarget({ morphs })] }), { zoom: 2 }).rowHeights[0];
  const surest = makeMorph({ name: "visible", stopped: "surest" });
  assert.equal(heightOf(surest) - heightOf(makeMorph()), 16);
  assert.equal(heightOf(makeMorph(), surest), heightOf(surest));
  assert.equal(heightOf(makeMorph({ spread: [0.6, 0.8] })) - heightOf(makeMorph()), 16);
  const heights = ["confidence", "surest"].map((stopped) => {
    const targets = [makeTarget({ morphs: [makeMorph({ stopped, survived: [true], judges: [makeJudge()] })] })];
    return gridLayout([makeSample({ shape: SHAPE, targets })], { measure, width: 600, ratio: 1, zoom: 2, target: null, choices: new Map() }).cards[0].height;
  });
  assert.equal(heights[1] - heights[0], 16);
});

test("the caption below narrow panels is wrapped, and the row is higher", () => {
  const layout = (side) => layoutOf(makeSample({ shape: [1, 160, side], targets: [makeTarget()] }));
  const [wide, narrow, narrowest] = [84, 60, 12].map(layout);
  assert.deepEqual([wide, narrow, narrowest].map(({ captionLines }) => captionLines), [1, 2, 5]);
  assert.deepEqual([wide, narrow, narrowest].map(({ rowHeights }) => rowHeights[0] - 160), [16, 32, 80]);
});

test("words are wrapped where the next one does not fit", () => {
  // A small letter is 5.8 pixels wide.
  assert.equal(wrappedLines("aaaa bbbb", 9.1 * 5.8, measure), 1);
  assert.equal(wrappedLines("aaaa bbbb", 8.9 * 5.8, measure), 2);
  assert.equal(wrappedLines("aaaa bbbb cc", 7 * 5.8, measure), 2);
  assert.equal(wrappedLines("aaaaaaaaaaaa", 7 * 5.8, measure), 1);
});

test("there is space for the caption below the panels of each row", () => {
  const targets = [makeTarget(), makeTarget({ index: 5 })];
  const { panels, scale } = layoutOf(makeSample({ shape: [1, 120, 120], targets }));
  const [first, second] = panels.targets;
  assert.ok((second.gradient[1] - first.gradient[1] - first.gradient[3]) * scale >= 16 + 20);
});

test("a row without a morph is only as high as its gradient", () => {
  const survived = [true];
  const targets = [makeTarget({ index: 5, morphs: [] }), makeTarget({ survived }), makeTarget({ index: 3, morphs: [] })];
  const { rowHeights, panels, scale, canvas } = layoutOf(makeSample({ shape: SHAPE, targets }), { zoom: 3 });
  assert.deepEqual(rowHeights, [84, 108, 84]);
  const tops = panels.targets.map(({ gradient }) => gradient[1] * scale);
  assert.deepEqual(tops, [0, 84 + 30, 84 + 30 + 108 + 30]);
  assert.equal(canvas.height * scale, tops[2] + 84);
});
