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

const SQUARE = { channels: 1, height: 2, width: 2 };
const IMAGE = [0.1, -0, NaN, 2];
const RAW = [0, 0, ...planes(IMAGE)];
const PALETTE = [2, 0, ...planes([-0.5, 0.25]), 1, 0, 0, 1];
const LEVELS = [
  ...[...float32(0.5), ...float32(0.1)],
  ...levels([1, -1, 1024, -1024]),
  ...levels([-32768, -32767, 32767, 0]),
];

test("an image is decoded exactly, with a palette or without", () => {
  const [raw] = readPayload(Uint8Array.from(RAW), SQUARE, [0]);
  assert.deepEqual([...raw], IMAGE.map(Math.fround));
  const [image] = readPayload(Uint8Array.from([...PALETTE, ...RAW]), { ...SQUARE, channels: 2 }, [0]);
  assert.deepEqual([...image], [0.25, -0.5, -0.5, 0.25, ...IMAGE.map(Math.fround)]);
});

test("levels are multiples of the quantum, and three levels are not finite", () => {
  for (const codecs of [
    [0, 1, 1],
    [0, 2, 1],
  ]) {
    const [, gradient, delta] = readPayload(Uint8Array.from([...RAW, ...LEVELS]), SQUARE, codecs);
    assert.deepEqual([...gradient], [0.5, -0.5, 512, -512]);
    assert.deepEqual([...delta], [NaN, -Infinity, Infinity, 0]);
  }
});

/** The residuals of values in channels, rows and columns: what the back end stores. */
function residuals(channels) {
  const before = (c, y, x) => (channels[c]?.[y]?.[x] ?? 0) - (channels[c - 1]?.[y]?.[x] ?? 0);
  return channels.flatMap((rows, c) =>
    rows.flatMap((row, y) =>
      row.map((_, x) => {
        const [west, north, corner] = [before(c, y, x - 1), before(c, y - 1, x), before(c, y - 1, x - 1)];
        return before(c, y, x) - [west, north, west + north - corner].sort((a, b) => a - b)[1];
      }),
    ),
  );
}

const COLOURS = [
  [
    [0, 2, 1],
    [1, 1, 0],
  ],
  [
    [1, 0, 1],
    [1, 0, 0],
  ],
];
const PREDICTED = [
  ...[3, 0, ...planes([-1, 0, 0.5]), 2, 0, ...planes([0.25, 4])],
  ...levels(residuals(COLOURS)),
];
const WIDE = { channels: 2, height: 2, width: 3 };

test("an image is restored from the residuals of its palettes' positions", () => {
  assert.deepEqual(residuals([[[7, 5], [9, 6]]]), [7, -2, 2, -1]);
  const [image] = readPayload(Uint8Array.from(PREDICTED), WIDE, [3]);
  assert.deepEqual([...image], [-1, 0.5, 0, 0, 0, -1, 4, 0.25, 4, 4, 0.25, 0.25]);
});

test("levels are restored from their residuals", () => {
  const values = [
    [
      [5, 7, 9],
      [4, 900, -3],
    ],
    [
      [5, 6, -1024],
      [1024, 32767, 0],
    ],
  ];
  const bytes = Uint8Array.from([...PREDICTED, ...float32(0.5), ...levels(residuals(values))]);
  const [, delta] = readPayload(bytes, WIDE, [3, 4]);
  assert.deepEqual([...delta], [2.5, 3.5, 4.5, 2, 450, -1.5, 2.5, 3, -512, 512, Infinity, 0]);
});

test("residuals that lead out of the palette or of 16 bits are refused", () => {
  const outside = Uint8Array.from([2, 0, ...planes([1, 2]), ...levels([0, 1, 1, 1])]);
  assert.throws(() => readPayload(outside, SQUARE, [3]), /not in its palette/);
  const negative = Uint8Array.from([2, 0, ...planes([1, 2]), ...levels([0, -1, 0, 0])]);
  assert.throws(() => readPayload(negative, SQUARE, [3]), /not in its palette/);
  assert.throws(() => readPayload(Uint8Array.from(PREDICTED.slice(0, -1)), WIDE, [3]), /too short/);
  const far = Uint8Array.from([...RAW, ...float32(1), ...levels([32767, 1, 0, 0])]);
  assert.throws(() => readPayload(far, SQUARE, [0, 4]), /levels are out of range/);
});

test("a predicted image may be longer than one with a palette", async () => {
  const targets = [];
  const codecs = [3];
  const sample = makeSample({ shape: [2, 2, 3], targets, payload: { bytes: 1, crc32c: 0, codecs } });
  const [image] = await decodePayload(sample, deflated(PREDICTED));
  assert.equal(image.length, 12);
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
