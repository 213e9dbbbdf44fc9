import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Sync } from "../../../frontend/data/sync.js";
import { initialState } from "../../../frontend/state/state.js";
import { tick, withIndexes, withRuns } from "../../../frontend/state/transitions.js";
import { newestAnswer, recordsAnswer } from "../rows.mjs";
import { makeSample } from "../samples.mjs";

globalThis.document = { baseURI: "http://localhost/data/plugin/gradascent/" };

const runsNamed = (...names) => names.map((run) => ({ run, tags: ["confused"], empty_tags: [] }));
let runs;
/** How long it takes to show what was read, in milliseconds. */
let showing;
/** The path and the run of each request. */
let requests;
/** Paths and runs whose requests fail. */
let broken;
let state;
let isHidden;
let isScrolling;
/** How many captures each run has. The first answer holds only the last one. */
let captures;
/** What the sync reports: "busy", "idle", "runs", the run of each index, and the problems of each round. */
let reports;
let sync;

globalThis.fetch = async (url, { signal }) => {
  const asked = url.searchParams.getAll("run");
  const records = url.searchParams.get("records");
  const request = [url.pathname.split("/").at(-1), ...asked, ...(records === "0" ? ["0"] : [])].join(" ");
  requests.push(request);
  await wait(5);
  signal.throwIfAborted();
  if (broken.includes(request)) return new Response('{"error": "The disk is gone."}', { status: 503 });
  if (request === "runs") return Response.json({ record_version: 1, runs });
  const sessions = [{ session: "s", captures, damaged: false, superseded_from: null }];
  if (request.startsWith("records")) return new Response(recordsAnswer([[0, captures - 1, 0, [makeSample()]]]));
  const parts = records === "0" ? [] : [`s.${captures - 1}.${captures}`];
  const rows = records === "0" ? [] : [[captures - 1, captures, 0, [makeSample({ capture: 1 })]]];
  return new Response(
    newestAnswer(
      asked.map((run) => {
        return broken.includes(run) ? [{ run, error: "The disk is gone." }, []] : [{ run, sessions, parts }, rows];
      }),
    ),
  );
};

beforeEach(() => {
  requests = [];
  runs = runsNamed("a", "b");
  showing = 0;
  broken = [];
  state = initialState();
  isHidden = false;
  isScrolling = false;
  captures = 1;
  reports = [];
  sync = new Sync({
    state: () => state,
    isScrolling: () => isScrolling,
    isHidden: () => isHidden,
    onRuns: (listed, recordVersion) => {
      reports.push("runs");
      state = withRuns({ ...state, recordVersion }, listed);
    },
    onIndexes: (indexes) => {
      reports.push(indexes.map(({ run }) => run).join());
      state = withIndexes(state, indexes);
      const start = performance.now();
      while (performance.now() - start < showing);
    },
    whenPainted: async () => {
      reports.push("painted");
    },
    onBusy: (busy) => reports.push(busy ? "busy" : "idle"),
    onEnd: (problems) => reports.push(problems),
  });
});

test("a reload fetches the runs, and then what all of them show first with one request", async () => {
  await sync.reload();
  assert.deepEqual(reports, ["busy", "runs", "a,b", "idle", []]);
  assert.deepEqual(requests, ["runs", "newest a b"]);
  assert.ok(!sync.isStale);
});

test("older records are fetched only when the newest are painted", async () => {
  captures = 2;
  await sync.reload();
  assert.deepEqual(reports, ["busy", "runs", "a,b", "painted", "a", "b", "idle", []]);
  assert.deepEqual(requests, ["runs", "newest a b", "records a", "records b"]);
});

test("many runs are shown a few times, not run by run, and in the end all are", async () => {
  runs = runsNamed(...Array.from({ length: 100 }, (_, at) => `run${at}`));
  state = { ...state, others: "all" };
  captures = 2;
  showing = 10;
  await sync.reload();
  const shows = reports.filter((report) => typeof report === "string" && report.startsWith("run") && report !== "runs");
  assert.ok(shows.length < 40, `${shows.length} times`);
  const read = [...state.indexes.values()].filter(({ samples, reading }) => samples.length === 2 && !reading);
  assert.equal(read.length, 100);
});

test("while the user scrolls, everything is fetched and nothing is shown", async () => {
  captures = 3;
  isScrolling = true;
  const round = sync.reload();
  await wait(150);
  assert.deepEqual(reports.filter((report) => report !== "runs"), ["busy", "a,b", "painted"]);
  assert.deepEqual(requests.slice(0, 2), ["runs", "newest a b"]);
  assert.equal(requests.filter((request) => request.startsWith("records")).length, 2);
  isScrolling = false;
  await round;
  assert.equal([...state.indexes.values()].every(({ samples, reading }) => samples.length === 2 && !reading), true);
});

test("an update fetches only ticked runs that are not loaded, and a reload checks all", async () => {
  state = tick(state, "b", false);
  await sync.reload();
  assert.deepEqual(requests, ["runs", "newest a"]);
  state = tick(state, "b", true);
  await sync.update();
  assert.deepEqual(requests.slice(2), ["newest b"]);
  await sync.reload();
  assert.deepEqual(requests.slice(3), ["runs", "newest a b 0"]);
});

test("a later round gives up the earlier one, which then reports nothing", async () => {
  const first = sync.reload();
  const second = sync.reload();
  await Promise.all([first, second]);
  assert.deepEqual(reports, ["busy", "busy", "runs", "a,b", "idle", []]);
});

test("a run that cannot be read does not stop the others", async () => {
  broken = ["a"];
  await sync.reload();
  assert.deepEqual([...state.indexes.keys()], ["b"]);
  assert.deepEqual(reports.at(-1), ["The samples of a could not be loaded. The disk is gone."]);
});

test("if what they show first cannot be read, every run says so", async () => {
  broken = ["newest a b"];
  await sync.reload();
  const problems = ["a", "b"].map((run) => `The samples of ${run} could not be loaded. The disk is gone.`);
  assert.deepEqual(reports.at(-1), problems);
});

test("without the list of runs nothing else is fetched", async () => {
  broken = ["runs"];
  await sync.reload();
  assert.deepEqual(requests, ["runs"]);
  assert.deepEqual(reports.at(-1), ["The list of runs could not be loaded. The disk is gone."]);
});

test("a hidden page fetches nothing until it is visible again", async () => {
  isHidden = true;
  await sync.reload();
  sync.resume();
  assert.deepEqual([requests, sync.isStale], [[], true]);
  isHidden = false;
  sync.resume();
  sync.resume();
  await wait(100);
  assert.deepEqual(requests.filter((request) => request === "runs"), ["runs"]);
  assert.deepEqual([...state.indexes.keys()], ["a", "b"]);
  assert.ok(!sync.isStale);
});
