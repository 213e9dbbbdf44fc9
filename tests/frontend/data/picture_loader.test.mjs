import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import { PictureLoader } from "../../../frontend/data/picture_loader.js";
import { makeSample } from "../samples.mjs";

/** A 2×2 image of one value, no targets. */
const PAYLOAD = deflateSync(Uint8Array.from([1, 0, 0, 0, 0, 63, 0, 0, 0, 0]));

let requests = [];
/** The status that the back end answers for an address. */
let statusOf = () => 0;
let seen = { pictures: [], problems: [], failures: [] };
/** The size at which samples are shown. */
let rasterOf;
let loader;

function answer(addresses) {
  const parts = addresses.map((address) => {
    const status = statusOf(address);
    const bytes = status === 0 ? PAYLOAD : Buffer.alloc(0);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(status);
    head.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([head, bytes]);
  });
  return new Response(Buffer.concat(parts));
}

beforeEach(() => {
  requests = [];
  statusOf = () => 0;
  seen = { pictures: [], problems: [], failures: [] };
  globalThis.document = { baseURI: "http://host/data/plugin/gradascent/" };
  globalThis.fetch = async (url, { signal }) => {
    const addresses = new URL(url).searchParams.getAll("sample");
    requests.push({ url: String(url), addresses, signal });
    await wait(5);
    signal.throwIfAborted();
    return answer(addresses);
  };
  rasterOf = () => ({ width: 2, height: 2 });
  loader = new PictureLoader({
    rasterOf: (sample) => rasterOf(sample),
    onPicture: ({ key }) => seen.pictures.push(key),
    onProblem: ({ key }, problem) => seen.problems.push([key, problem]),
    onFailure: (problem) => seen.failures.push(problem),
  });
});

afterEach(() => loader.want([]));

async function until(condition) {
  for (let tries = 0; !condition() && tries < 500; tries++) await wait(10);
}

function samples(count, fields = {}) {
  return Array.from({ length: count }, (_, index) => makeSample({ index, targets: [], ...fields }));
}

test("samples are requested once, in batches of all runs", async () => {
  const other = makeSample({ key: "other|s.0.0", run: "other", targets: [] });
  const wanted = [...samples(100), other];
  loader.want(wanted);
  loader.want(wanted);
  await until(() => seen.pictures.length === 101);
  assert.deepEqual(requests.map(({ addresses }) => addresses.length).sort((one, two) => one - two), [37, 64]);
  assert.equal(seen.pictures.length, 101);
  loader.want(wanted);
  assert.equal(requests.length, 2);
  assert.ok(loader.picture(other));
});

test("the loader is settled when no picture is on its way", async () => {
  await loader.settled();
  loader.want(samples(100));
  const settled = loader.settled();
  assert.equal(seen.pictures.length, 0);
  await settled;
  assert.equal(seen.pictures.length, 100);
});

test("requests for samples that are no longer wanted are given up silently", async () => {
  loader.want(samples(1));
  loader.want(samples(1, { index: 7, key: "other", address: "s.0.7" }));
  await until(() => seen.pictures.length);
  assert.ok(requests[0].signal.aborted);
  assert.deepEqual(seen.pictures, ["other"]);
  assert.deepEqual(seen.failures.filter(Boolean), []);
});

test("arrays that are not available yet are reported and requested again", async () => {
  statusOf = () => (requests.length > 1 ? 0 : 1);
  const [sample] = samples(1);
  loader.want([sample]);
  await until(() => seen.problems.length);
  assert.match(seen.problems[0][1], /not available yet/);
  assert.match(loader.problem(sample), /not available yet/);
  assert.equal(requests.length, 1);
  await until(() => seen.pictures.length);
  assert.deepEqual([requests.length, seen.pictures.length], [2, 1]);
  assert.equal(loader.problem(sample), undefined);
});

test("damaged arrays are reported, and requested again only by a retry", async () => {
  statusOf = () => 2;
  loader.want(samples(1));
  await until(() => seen.problems.length);
  await wait(20);
  assert.match(seen.problems[0][1], /damaged/);
  assert.equal(requests.length, 1);
  loader.retry();
  assert.equal(requests.length, 2);
});

test("bytes that are no payload damage one sample only", async () => {
  loader.want([makeSample(), ...samples(1, { key: "good" })]);
  await until(() => seen.pictures.length && seen.problems.length);
  assert.deepEqual(seen.pictures, ["good"]);
  assert.match(seen.problems[0][1], /^This sample's arrays are damaged: .*[^.]\.$/);
});

test("after a failure nothing is requested until a retry", async () => {
  const works = globalThis.fetch;
  globalThis.fetch = async () => new Response('{"error": "The disk is gone."}', { status: 503 });
  loader.want(samples(2));
  await until(() => seen.failures.length);
  assert.deepEqual(seen.failures, ["The disk is gone."]);
  globalThis.fetch = works;
  loader.want(samples(2));
  assert.equal(requests.length, 0);
  loader.retry();
  assert.equal(seen.failures.at(-1), null, "a retry clears the failure immediately");
  await until(() => seen.pictures.length === 2);
  assert.equal(seen.failures.at(-1), null);
});

test("a picture of another size is loaded again", async () => {
  const [sample] = samples(1);
  loader.want([sample]);
  await until(() => seen.pictures.length === 1);
  assert.equal(loader.picture(sample).width, 2);
  rasterOf = () => ({ width: 1, height: 1 });
  assert.equal(loader.picture(sample), undefined);
  loader.want([sample]);
  await until(() => seen.pictures.length === 2);
  assert.equal(loader.picture(sample).width, 1);
});

test("a sample that no view shows is not requested until a view wants it", async () => {
  const wanted = samples(3);
  rasterOf = ({ key }) => (key === wanted[1].key ? { width: 2, height: 2 } : undefined);
  loader.want(wanted);
  await until(() => seen.pictures.length);
  await wait(50);
  assert.deepEqual(requests.map(({ addresses }) => addresses), [[wanted[1].address]]);
  rasterOf = () => ({ width: 2, height: 2 });
  loader.want(wanted);
  await until(() => seen.pictures.length === 3);
  assert.equal(requests.length, 2);
});
