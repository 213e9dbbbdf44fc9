import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf } from "../../../frontend/export/csv.js";
import { reviewSnippet } from "../../../frontend/export/snippet.js";
import { parseReviews, reviewRows } from "../../../frontend/samples/label_review.js";

const REVIEWS = new Map([
  ["train/14749", "mislabelled"],
  ['a "quoted", id', "ambiguous"],
  ["=1+1", "model"],
  ["two\nlines", "ambiguous"],
]);

test("a review comes back from its CSV file", () => {
  assert.deepEqual(parseReviews(csvOf(reviewRows(REVIEWS))), REVIEWS);
  assert.deepEqual(parseReviews(csvOf(reviewRows(REVIEWS)).replaceAll("\r\n", "\n")), REVIEWS);
});

test("rows that are no reviews are skipped", () => {
  assert.deepEqual(parseReviews("id,review\nx,perfect\n,mislabelled\ny,ambiguous,more\n"), new Map([["y", "ambiguous"]]));
  assert.equal(parseReviews("").size, 0);
});

test("each review is a Python list of ids", () => {
  const code = reviewSnippet(new Map([["a", "mislabelled"], ['b"', "mislabelled"], ["c", "model"]]));
  assert.equal(code, 'mislabelled = [\n    "a",\n    "b\\"",\n]\nambiguous = []\nmodels_fault = [\n    "c",\n]\n');
});
