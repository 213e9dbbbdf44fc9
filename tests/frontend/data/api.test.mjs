import assert from "node:assert/strict";
import { test } from "node:test";
import { DAMAGED, READY, answerFrom, fetchEarly, fetchNewest, fetchPayloads, fetchRuns, readPayloads, readRecords } from "../../../frontend/data/api.js";
import { newestAnswer } from "../rows.mjs";
import { makeSample } from "../samples.mjs";

test("each payload is found in the answer, and an incomplete answer is an error", () => {
  const answer = Uint8Array.of(0, 0, 0, 0, 2, 0, 0, 0, 7, 9, 2, 0, 0, 0, 0, 0, 0, 0).buffer;
  const [ready, damaged] = readPayloads(answer, 2);
  assert.deepEqual([ready.status, [...ready.bytes]], [READY, [7, 9]]);
  assert.deepEqual([damaged.status, damaged.bytes.length], [DAMAGED, 0]);
  assert.throws(() => readPayloads(answer.slice(0, 9), 1), /incomplete/);
  assert.throws(() => readPayloads(answer, 3), /incomplete/);
});

test("the rows of each range are found in the answer, and an incomplete answer is an error", () => {
  const answer = new Uint8Array([...heads([3, 5, 1, 8]), ...new Uint8Array(8), ...heads([0, 0, 0, 0])]).buffer;
  const [one, other] = readRecords(answer, 2);
  assert.deepEqual(one, { first: 3, end: 5, unreadable: 1, buffer: answer, start: 16, length: 8 });
  assert.deepEqual(other, { first: 0, end: 0, unreadable: 0, buffer: answer, start: 40, length: 0 });
  assert.throws(() => readRecords(answer.slice(0, 20), 1), /incomplete/);
  assert.throws(() => readRecords(answer, 3), /incomplete/);
});

/** @param {number[]} integers */
function heads(integers) {
  return new Uint8Array(Uint32Array.from(integers).buffer);
}

const never = new AbortController().signal;

test("the answers of runs are read as they arrive, however the network splits them", async () => {
  const sessions = [{ session: "s", captures: 2 }];
  const whole = newestAnswer([
    [{ run: "a", sessions, parts: ["s.1.2"] }, [[1, 2, 0, [makeSample()]]]],
    [{ run: "b", error: "The disk is gone." }, []],
    [{ run: "c", sessions: [], parts: [] }, []],
  ]);
  for (const size of [1, 7, 100, whole.length]) {
    answerFrom(async () => {
      const parts = [];
      for (let at = 0; at < whole.length; at += size) parts.push(whole.subarray(at, at + size));
      return new Response(ReadableStream.from(parts));
    });
    const answers = [];
    for await (const arrived of fetchNewest(["a", "b", "c"], "confused", 200, never)) answers.push(...arrived);
    assert.deepEqual(answers.map(({ run }) => run), ["a", "b", "c"]);
    assert.deepEqual(answers[0].ranges, [{ session: "s", first: 1, end: 2 }]);
    assert.equal(answers[0].records[0].end, 2);
    assert.ok(answers[0].records[0].length > 100);
    assert.equal(answers[1].error, "The disk is gone.");
  }
});

test("an answer that ends early is an error, also if only a whole run is missing", async () => {
  const whole = newestAnswer([[{ run: "a", sessions: [], parts: [] }, []]]);
  for (const body of [whole.subarray(0, 3), whole.subarray(0, 12), whole.subarray(0, 0), whole]) {
    answerFrom(async () => new Response(body));
    const read = async () => {
      for await (const _ of fetchNewest(["a", "b"], "confused", 200, never));
    };
    await assert.rejects(read, /incomplete/);
  }
});

test("many runs, or long names, take several requests", async () => {
  const asked = [];
  answerFrom(async (path) => {
    const runs = new URLSearchParams(path.split("?")[1]).getAll("run");
    asked.push(runs.length);
    return new Response(newestAnswer(runs.map((run) => [{ run, sessions: [], parts: [] }, []])));
  });
  const runs = Array.from({ length: 100 }, (_, n) => `run ${n}`);
  for await (const _ of fetchNewest(runs, "confused", 0, never));
  for await (const _ of fetchNewest(["日".repeat(1000), "本".repeat(1000), "c"], "confused", 0, never));
  assert.deepEqual(asked, [64, 36, 2, 1]);
});

test("the arrays of samples of several runs are requested together", async () => {
  const asked = [];
  answerFrom(async (path) => {
    asked.push(decodeURIComponent(path));
    return new Response(new Uint8Array(8 * 3));
  });
  const samples = [["b", "s.0.0"], ["a", "s.1.0"], ["b", "t.0.1"]].map(([run, address]) => ({ run, address }));
  assert.equal((await fetchPayloads("tag", samples, never)).length, 3);
  answerFrom(async (path) => (asked.push(path), new Response(new Uint8Array(8))));
  await fetchPayloads("tag", samples.slice(0, 1), never);
  assert.deepEqual(asked, [
    "payloads?run=b&run=a&tag=tag&sample=0.s.0.0&sample=1.s.1.0&sample=0.t.0.1",
    "payloads?run=b&tag=tag&sample=s.0.0",
  ]);
});

/** @param {string[]} runs */
async function newestOf(runs, tag = "t") {
  const answers = [];
  for await (const arrived of fetchNewest(runs, tag, 200, never)) answers.push(...arrived.map(({ run }) => run));
  return answers;
}

test("runs that were requested early are used once", async () => {
  let asked = 0;
  answerFrom(async () => {
    asked++;
    return Response.json({ record_version: 2, runs: [asked] });
  });
  const early = () => fetchEarly({ chooses: true });
  early();
  assert.equal(asked, 1);
  assert.deepEqual((await fetchRuns(never)).runs, [1]);
  assert.deepEqual((await fetchRuns(never)).runs, [2]);
  early();
  await assert.rejects(fetchRuns(AbortSignal.abort()), { name: "AbortError" });
  answerFrom(async () => Response.json({ error: "The disk is gone." }, { status: 503 }));
  early();
  await assert.rejects(fetchRuns(never), /The disk is gone/);
});

test("a fresh page gets the runs and their newest records with one request, and requests only what it lacks", async () => {
  const asked = [];
  const ofRuns = (/** @type {string[]} */ runs) => runs.map((run) => [{ run, tag: "t", sessions: [], parts: [] }, []]);
  const listed = { record_version: 2, runs: [{ run: "a" }, { run: "b" }, { run: "c" }] };
  const whole = newestAnswer([[listed, []], ...ofRuns(["a", "b"])]);
  answerFrom(async (path) => {
    asked.push(path);
    const runs = new URLSearchParams(path.split("?")[1]).getAll("run");
    if (!path.startsWith("opening")) return new Response(newestAnswer(ofRuns(runs)));
    return new Response(ReadableStream.from([whole.subarray(0, 60), whole.subarray(60)]));
  });
  const open = async () => {
    fetchEarly({ chooses: false });
    assert.deepEqual(asked.splice(0), ["opening?most=10&records=200"]);
    assert.deepEqual(await fetchRuns(never), { recordVersion: 2, runs: listed.runs });
  };
  await open();
  assert.deepEqual(await newestOf(["a", "b"]), ["a", "b"]);
  assert.deepEqual(asked, []);
  assert.deepEqual(await newestOf(["a"]), ["a"], "used once");
  assert.deepEqual(asked.splice(0), ["newest?tag=t&records=200&run=a"]);
  await open();
  assert.deepEqual(await newestOf(["b", "c"]), ["b", "c"], "the user has chosen others");
  assert.deepEqual(asked.splice(0), ["newest?tag=t&records=200&run=c"]);
  await open();
  assert.deepEqual(await newestOf(["a", "b"], "other"), ["a", "b"], "the user has chosen another tag");
  assert.equal(asked.length, 1);
});

test("an early answer that fails or ends is an error of the runs, and the next request works", async () => {
  for (const [answer, problem] of [
    [() => Response.json({ error: "The disk is gone." }, { status: 503 }), /The disk is gone/],
    [() => new Response(new Uint8Array(0)), /incomplete/],
    [() => new Response(new Uint8Array(9)), /incomplete|JSON/],
  ]) {
    answerFrom(async () => answer());
    fetchEarly({ chooses: false });
    await assert.rejects(fetchRuns(never), problem);
    answerFrom(async () => new Response(newestAnswer([[{ run: "a", tag: "t", sessions: [], parts: [] }, []]])));
    await newestOf(["a"]).catch((error) => assert.match(error.message, problem));
    assert.deepEqual(await newestOf(["a"]), ["a"]);
  }
});
