import assert from "node:assert/strict";
import { test } from "node:test";
import { DAMAGED, READY, answerFrom, fetchNewest, fetchPayloads, fetchRecords, fetchRuns } from "../../../frontend/data/api.js";
import { reportAnswers } from "../../../frontend/data/report_answers.js";
import { newestAnswer } from "../rows.mjs";
import { makeSample } from "../samples.mjs";

const never = new AbortController().signal;
const RUNS = ["a", "__proto__", '"b", 1'];

function report() {
  const sessions = [{ session: "s", captures: 1 }];
  return {
    title: "report",
    link: {},
    runs: { record_version: 2, runs: RUNS.map((run) => ({ run, tags: ["t"], empty_tags: [] })) },
    newest: RUNS.map((run) => {
      const answer = newestAnswer([[{ run, sessions, parts: ["s.0.1"] }, [[0, 1, 0, [makeSample()]]]]]);
      return [run, "t", answer.toString("base64")];
    }),
    payloads: [["a", "t", "s.0.0", btoa("abc")], ["__proto__", "t", "s.0.0", btoa("def")]],
  };
}

test("a report answers the requests of the page, whatever its runs are called", async () => {
  answerFrom(reportAnswers(report()));
  assert.deepEqual((await fetchRuns(never)).runs.map(({ run }) => run), RUNS);
  const answers = [];
  for await (const arrived of fetchNewest(RUNS, "t", 200, never)) answers.push(...arrived);
  assert.deepEqual(answers.map(({ run, records }) => [run, records[0].end]), RUNS.map((run) => [run, 1]));
  const samples = RUNS.map((run) => ({ run, address: "s.0.0" }));
  const payloads = await fetchPayloads("t", samples, never);
  const texts = payloads.map(({ status, bytes }) => [status, new TextDecoder().decode(bytes)]);
  assert.deepEqual(texts, [[READY, "abc"], [READY, "def"], [DAMAGED, ""]]);
  const [one] = await fetchPayloads("t", samples.slice(0, 1), never);
  assert.deepEqual([...one.bytes], [97, 98, 99]);
});

test("a report has nothing else", async () => {
  answerFrom(reportAnswers(report()));
  const ranges = [{ session: "s", first: 0, end: 1 }];
  await assert.rejects(fetchRecords("a", "t", ranges, never), /only what was chosen/);
});
