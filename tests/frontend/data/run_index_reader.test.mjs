import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { readRecords } from "../../../frontend/data/api.js";
import { RunIndexReader } from "../../../frontend/data/run_index_reader.js";
import { recordsAnswer } from "../rows.mjs";
import { makeSample } from "../samples.mjs";

globalThis.document = { baseURI: "http://localhost/data/plugin/gradascent/" };

/** The samples of each capture, by session, as the back end stores them. */
let stored = new Map();
let listed = {};
/** At most so many captures are in one answer. */
let most = Infinity;
/** The parts of each request for records. */
let asked = [];

/** What the route `newest` answers: the sessions, and the last captures of the last session. */
function newest(captures) {
  const sessions = [...stored].map(([session, { length }]) => {
    return { session, captures: length, damaged: false, superseded_from: null, ...listed[session] };
  });
  const [session, recorded] = [...stored].at(-1);
  const first = Math.max(0, recorded.length - captures);
  const ranges = captures ? [{ session, first, end: recorded.length }] : [];
  const rows = recordsAnswer([[first, recorded.length, 0, recorded.slice(first).flat()]]);
  return { run: "run", sessions, ranges, records: captures ? readRecords(rows, 1) : [] };
}

globalThis.fetch = async (url) => {
  const parts = url.searchParams.getAll("part").map((part) => part.split("."));
  asked.push(parts.map((part) => part.join(".")));
  let left = most;
  const answers = parts.map(([session, first, end]) => {
    const from = Math.max(Number(first), Number(end) - left);
    left -= Number(end) - from;
    return [from, Number(end), 0, stored.get(session).slice(from, Number(end)).flat()];
  });
  return { ok: true, arrayBuffer: async () => recordsAnswer(answers) };
};

/** A session of so many captures, each of one sample, 100 steps apart. */
function session(captures, { from = 0, ...fields } = {}) {
  return Array.from({ length: captures }, (_, capture) => [
    makeSample({ capture, step: 100 * (from + capture), wall_time: capture, ...fields }),
  ]);
}

/** Reads everything; returns each index that is reported. */
async function update(reader, signal = new AbortController().signal, captures = 0) {
  const told = [reader.begin(newest(captures))];
  if (!reader.isWhole) await reader.finish(signal, (index) => told.push(index));
  return told;
}

/** Reads everything; returns the last index that is reported. */
async function last(reader) {
  return (await update(reader)).at(-1);
}

beforeEach(() => {
  stored = new Map([["s", session(5)]]);
  listed = {};
  most = Infinity;
  asked = [];
});

test("everything is read once, and an update without new captures requests no records", async () => {
  const reader = new RunIndexReader("run", "confused");
  const index = await last(reader);
  assert.deepEqual(index.samples.map(({ key }) => key), [0, 1, 2, 3, 4].map((n) => `run|confused|s.${n}.0`));
  assert.deepEqual(index.counts, { samples: 5, unreadable: 0, superseded: 0, dropped: 0 });
  assert.deepEqual(await update(reader), [index], "the very same");
  assert.deepEqual(asked, [["s.0.5"]]);
});

test("a large session is read from the newest capture backwards, and reported as it doubles", async () => {
  stored.set("s", session(1000));
  most = 300;
  const told = await update(new RunIndexReader("run", "confused"), undefined, 256);
  assert.deepEqual(asked, [["s.0.744"], ["s.0.444"], ["s.0.144"]]);
  assert.deepEqual(told.map(({ samples }) => samples.length), [256, 556, 1000]);
  assert.deepEqual(told.map(({ samples }) => samples.at(-1).step), [99900, 99900, 99900]);
  assert.deepEqual(told[2].samples.map(({ step }) => step), stored.get("s").map(([{ step }]) => step));
});

test("an update of a growing run reads only new captures", async () => {
  const reader = new RunIndexReader("run", "confused");
  const before = await last(reader);
  stored.set("s", session(7));
  stored.set("t", session(2, { from: 20 }));
  const after = await last(reader);
  assert.deepEqual(asked.slice(1), [["t.0.2", "s.5.7"]]);
  assert.equal(after.samples.length, 9);
  assert.deepEqual(before.samples, after.samples.slice(0, 5), "the same objects");
});

test("a round continues where the last one was given up", async () => {
  stored.set("s", session(1000));
  most = 300;
  const reader = new RunIndexReader("run", "confused");
  const controller = new AbortController();
  reader.begin(newest(256));
  await assert.rejects(reader.finish(controller.signal, () => controller.abort()));
  stored.set("s", session(1001));
  const told = await update(reader);
  assert.deepEqual(asked.slice(2), [["s.1000.1001", "s.0.444"], ["s.0.145"]]);
  assert.equal(told.at(-1).samples.length, 1001);
});

test("captures that a restart recorded again are left out and counted", async () => {
  stored.set("t", session(3, { from: 3 }));
  listed = { s: { superseded_from: 300 } };
  const index = await last(new RunIndexReader("run", "confused"));
  assert.deepEqual(index.samples.map(({ key, step }) => [key, step]), [
    ...[0, 1, 2].map((n) => [`run|confused|s.${n}.0`, 100 * n]),
    ...[0, 1, 2].map((n) => [`run|confused|t.${n}.0`, 300 + 100 * n]),
  ]);
  assert.deepEqual(index.counts, { samples: 6, unreadable: 0, superseded: 2, dropped: 0 });
});

test("a later restart supersedes samples that were already read", async () => {
  const reader = new RunIndexReader("run", "confused");
  await update(reader);
  listed = { s: { superseded_from: 100 } };
  const index = await last(reader);
  assert.deepEqual(index.counts, { samples: 1, unreadable: 0, superseded: 4, dropped: 0 });
});

test("the samples of a session that no longer exists are removed, and an unreadable session is counted", async () => {
  stored.set("t", session(2));
  const reader = new RunIndexReader("run", "confused");
  await update(reader);
  stored.delete("s");
  stored.set("broken", []);
  listed = { broken: { damaged: true } };
  const index = await last(reader);
  assert.deepEqual(index.counts, { samples: 2, unreadable: 1, superseded: 0, dropped: 0 });
});

test("samples of all sessions are sorted by step, time and index", async () => {
  stored = new Map([
    ["s", [[makeSample({ step: 5, index: 1 }), makeSample({ step: 5 })], [makeSample({ step: 1, capture: 1 })]]],
    ["t", [[makeSample({ step: 5, wall_time: -1 })]]],
  ]);
  const index = await last(new RunIndexReader("run", "confused"));
  assert.deepEqual(index.samples.map(({ address }) => address), ["s.1.0", "t.0.0", "s.0.0", "s.0.1"]);
});

test("many sessions are requested together", async () => {
  stored = new Map(Array.from({ length: 300 }, (_, n) => [`s${n}`, session(1)]));
  const told = await update(new RunIndexReader("run", "confused"));
  assert.deepEqual(asked.map((parts) => parts.length), [256, 44]);
  assert.deepEqual(told.map(({ samples }) => samples.length), [0, 256, 300]);
});

test("an answer without the listed captures does not cause endless requests", async () => {
  listed = { s: { captures: 9 } };
  const real = stored.get("s");
  stored.set("s", Object.assign([], { length: 0, slice: () => [] }));
  globalThis.fetch = ((fetch) => async () => {
    globalThis.fetch = fetch;
    return { ok: true, arrayBuffer: async () => recordsAnswer([[5, 5, 0, []]]) };
  })(globalThis.fetch);
  const index = await last(new RunIndexReader("run", "confused"));
  assert.equal(index.samples.length, 0);
  assert.equal(real.length, 5);
});

test("the index is whole after a complete round", async () => {
  stored.set("s", session(1000));
  const reader = new RunIndexReader("run", "confused");
  const controller = new AbortController();
  reader.begin(newest(256));
  controller.abort();
  await assert.rejects(reader.finish(controller.signal, () => {}), { name: "AbortError" });
  assert.equal(reader.index().samples.length, 256);
  assert.ok(!reader.isWhole);
  await update(reader);
  assert.equal(reader.index().samples.length, 1000);
  assert.ok(reader.isWhole);
});
