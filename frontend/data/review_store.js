/** Keeps the label review in the browser. A browser can block the storage: then the review lasts as long as the page. */

import { isReview } from "../samples/label_review.js";

/** @import {Review, Reviews} from "../samples/label_review.js" */

const KEY = "tb_gradascent.label_review";

/** @returns {Map<string, Review>} */
export function loadReviews() {
  try {
    const entries = Object.entries(JSON.parse(localStorage.getItem(KEY) ?? "{}"));
    return new Map(entries.flatMap(([id, review]) => (isReview(review) ? [[id, review]] : [])));
  } catch {
    return new Map();
  }
}

/** @param {Reviews} reviews */
export function saveReviews(reviews) {
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(reviews)));
  } catch {
    // The storage is blocked or full. The page keeps the review, and the user can export it.
  }
}
