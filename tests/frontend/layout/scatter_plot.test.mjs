import assert from "node:assert/strict";
import { test } from "node:test";
import { PLOT, scatterPlot } from "../../../frontend/layout/scatter_plot.js";

const SPAN = { from: 100, to: 300 };

test("steps are linear within the plot, distances logarithmic, and never is above them all", () => {
  const { x, y } = scatterPlot([0.1, 1, 10, Infinity], SPAN, 500);
  assert.equal(x(100), PLOT.left);
  assert.equal(x(300), 500 - PLOT.right);
  assert.equal(x(200), (x(100) + x(300)) / 2);
  assert.ok(Math.abs(y(1) - (y(0.1) + y(10)) / 2) < 1e-9);
  assert.ok(y(Infinity) < y(10) && y(10) < y(1));
  assert.ok(y(0.1) <= PLOT.height - PLOT.bottom && y(10) >= PLOT.top);
});

test("the ticks are few, round and within the distances", () => {
  for (const distances of [[0.3, 0.4], [0.001, 1000], [2], [], [Infinity]]) {
    const { ticks, y } = scatterPlot(distances, SPAN, 500);
    assert.ok(ticks.length <= 5, String(ticks));
    for (const tick of ticks) assert.match(tick.toExponential(), /^[125]e/);
    for (const tick of ticks) assert.ok(y(tick) >= PLOT.top && y(tick) <= PLOT.height - PLOT.bottom);
  }
});

test("one step is at the left edge", () => {
  assert.equal(scatterPlot([1], { from: 5, to: 5 }, 500).x(5), PLOT.left);
});
