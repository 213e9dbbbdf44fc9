/** The label review: which reviewed samples are shown, and the review as a file. */

import { csvOf } from "../../export/csv.js";
import { fileName } from "../../export/file_name.js";
import { reviewSnippet } from "../../export/snippet.js";
import { formatCount, formatCounted } from "../../samples/captions.js";
import { REVIEWS, REVIEW_WORDS, parseReviews, reviewRows } from "../../samples/label_review.js";
import { element } from "../common/dom.js";
import { select, setOptions } from "../common/form_fields.js";
import { IS_BLOCKED, saveFile } from "../common/save_file.js";
import { TextOffer } from "../common/text_offer.js";

/** @import {Reviews} from "../../samples/label_review.js" */
/** @import {OnChange, State} from "../../state/state.js" */

const ALL = "";

export class ReviewPanel {
  /** @type {Reviews} */
  #reviews = new Map();
  #filter;
  #file = element("input", { type: "file", accept: ".csv,text/csv", hidden: true, ariaLabel: "Review to import" });
  #status = element("p", { role: "status" });
  #offer = new TextOffer(this.#status);
  #csv = element("button", { type: "button" }, "CSV");
  #python = element("button", { type: "button" }, "Python");
  element;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.#filter = select("review", (value) =>
      onChange((state) => ({ ...state, review: value === ALL ? null : /** @type {State["review"]} */ (value) })),
    );
    this.#filter.ariaLabel = "Reviewed samples";
    this.#csv.title = "Save the ids with their reviews as CSV";
    this.#python.title = "Copy a Python list of ids for each review";
    this.#csv.addEventListener("click", () => {
      const text = csvOf(reviewRows(this.#reviews));
      if (IS_BLOCKED) this.#give(text, "reviews");
      else saveFile([text], "text/csv;charset=utf-8", fileName(["label-review"], "csv"));
    });
    this.#python.addEventListener("click", () => this.#give(reviewSnippet(this.#reviews), "lists"));
    const load = element("button", { type: "button", title: "Add the reviews of a CSV file" }, "Import");
    load.addEventListener("click", () => this.#file.click());
    this.#file.addEventListener("change", async () => {
      const [file] = this.#file.files ?? [];
      this.#file.value = "";
      if (!file) return;
      const read = parseReviews(await file.text());
      this.#status.textContent = read.size
        ? `${formatCounted(read.size, "review")} imported.`
        : "The file has no reviews. It needs the columns id and review.";
      if (read.size) onChange((state) => ({ ...state, reviews: new Map([...state.reviews, ...read]) }));
    });
    this.element = element(
      "details",
      { className: "review-panel" },
      element("summary", { className: "name" }, "Label review"),
      element("p", {}, "The keys 1, 2 and 3 mark the focused sample as mislabelled, ambiguous or the model's fault."),
      this.#filter,
      element("div", { className: "review-tools" }, this.#csv, this.#python, load, this.#file),
      this.#status,
    );
  }

  /**
   * @param {string} text
   * @param {string} what names the text
   */
  async #give(text, what) {
    this.#status.textContent = await this.#offer.offer(text, what);
  }

  /** @param {State} state */
  show({ reviews, review }) {
    this.#reviews = reviews;
    const counts = REVIEWS.map((one) => [...reviews.values()].filter((found) => found === one).length);
    setOptions(this.#filter, [
      [ALL, "all samples"],
      ["any", `reviewed (${formatCount(reviews.size)})`],
      ...REVIEWS.map((one, at) => /** @type {[string, string]} */ ([one, `${REVIEW_WORDS[one]} (${formatCount(counts[at])})`])),
    ]);
    this.#filter.value = review ?? ALL;
    this.#csv.disabled = !reviews.size;
    this.#python.disabled = !reviews.size;
  }
}
