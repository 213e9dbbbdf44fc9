import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { decodePayload, inflate, readPayload } from "../../../frontend/data/payload.js";
import { makeSample } from "../samples.mjs";

/** float32 as four planes of bytes, as a list. */
function planes(values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return [0, 1, 2, 3].flatMap((plane) => values.map((_, i) => bytes[4 * i + plane]));
}

function float32(value) {
  return [...new Uint8Array(Float32Array.of(value).buffer)];
}

/** Levels as folded numbers, low bytes and then high bytes. */
function levels(values) {
  const folded = values.map((value) => (value < 0 ? -2 * value - 1 : 2 * value));
  return [...folded.map((value) => value % 256), ...folded.map((value) => Math.floor(value / 256))];
}

function deflated(bytes) {
  return new Uint8Array(deflateSync(Uint8Array.from(bytes)));
}

const IMAGE = [0.1, -0, NaN, 2];
const RAW = [0, 0, ...planes(IMAGE)];
const PALETTE = [2, 0, ...planes([-0.5, 0.25]), 1, 0, 0, 1];
const LEVELS = [
  ...[...float32(0.5), ...float32(0.1)],
  ...levels([1, -1, 1024, -1024]),
  ...levels([-32768, -32767, 32767, 0]),
];

test("an image is decoded exactly, with a palette or without", () => {
  const [raw] = readPayload(Uint8Array.from(RAW), 1, 4, 0);
  assert.deepEqual([...raw], IMAGE.map(Math.fround));
  const [image] = readPayload(Uint8Array.from([...PALETTE, ...RAW]), 2, 4, 0);
  assert.deepEqual([...image], [0.25, -0.5, -0.5, 0.25, ...IMAGE.map(Math.fround)]);
});

test("levels are multiples of the quantum, and three levels are not finite", () => {
  const [, gradient, delta] = readPayload(Uint8Array.from([...RAW, ...LEVELS]), 1, 4, 2);
  assert.deepEqual([...gradient], [0.5, -0.5, 512, -512]);
  assert.deepEqual([...delta], [NaN, -Infinity, Infinity, 0]);
});

test("a payload is inflated and read in the shape of its record", async () => {
  const arrays = await decodePayload(makeSample(), deflated([...PALETTE, ...LEVELS]));
  assert.equal(arrays.length, 3);
  assert.deepEqual([...arrays[1]], [0.5, -0.5, 512, -512]);
});

test("a signal is read in the shape of its record", async () => {
  const signal = makeSample({ shape: [2, 2] });
  const raw = [0, 0, ...planes([0.1, -0]), 1, 0, ...planes([0.25]), 0, 0];
  const [image, gradient] = await decodePayload(signal, deflated([...raw, ...LEVELS]));
  assert.deepEqual([...image], [0.1, -0, 0.25, 0.25].map(Math.fround));
  assert.deepEqual([...gradient], [0.5, -0.5, 512, -512]);
});

test("a stream that grows beyond its limit is refused", async () => {
  const bomb = deflated(new Uint8Array(1 << 22));
  assert.ok(bomb.length < 5000);
  await assert.rejects(inflate(bomb, 1000), /longer than the 1000 bytes/);
  await assert.rejects(decodePayload(makeSample(), bomb), /longer than the \d+ bytes/);
});

test("a payload that contradicts its record is refused", async () => {
  const whole = [...PALETTE, ...LEVELS];
  await assert.rejects(decodePayload(makeSample(), deflated(whole.slice(0, -1))), /length does not fit/);
  await assert.rejects(decodePayload(makeSample(), deflated([...whole, 0])), /length does not fit/);
  await assert.rejects(decodePayload(makeSample(), deflated([0, 0, 1])), /too short/);
  await assert.rejects(decodePayload(makeSample(), deflated([])), /too short/);
  await assert.rejects(decodePayload(makeSample(), deflated([1, 0, ...planes([1]), 0, 0, 1, 0])), /not in its palette/);
  await assert.rejects(decodePayload(makeSample(), Uint8Array.of(1, 2, 3)));
});
