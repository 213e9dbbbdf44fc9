import assert from "node:assert/strict";
import { test } from "node:test";
import { signedMargin } from "../../../frontend/samples/signed_margin.js";
import { makeSample } from "../samples.mjs";

const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9, `${value}`);

test("the signed margin is negative if the prediction is wrong", () => {
  near(signedMargin(makeSample({ label: 5 })), 0.01);
  near(signedMargin(makeSample({ label: 8 })), 0.45 - 0.46);
  near(signedMargin(makeSample({ label: 3 })), 0.05 - 0.46);
});

test("the probability of a label that was not recorded follows from the loss", () => {
  near(signedMargin(makeSample({ label: 7, loss: -Math.log(0.02) })), 0.02 - 0.46);
  near(signedMargin(makeSample({ label: 7, loss: null })), -0.46);
});

test("without a label it is the margin of the prediction", () => {
  near(signedMargin(makeSample({ label: null })), 0.01);
});
