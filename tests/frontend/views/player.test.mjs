import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Player, elapsedAt, stepwise, swing } from "../../../frontend/views/toolbar/player.js";

test("the swing goes from 0 to the largest strength and back, and can start anywhere", () => {
  assert.equal(swing(0, 1.25), 0);
  assert.equal(swing(2_400, 1.25), 1.25);
  assert.ok(Math.abs(swing(4_800, 1.25)) < 1e-9);
  for (const strength of [0, 0.3, 1, 1.25]) assert.ok(Math.abs(swing(elapsedAt(strength, 1.25), 1.25) - strength) < 1e-9);
  assert.equal(elapsedAt(5, 1.25), elapsedAt(1.25, 1.25));
});

test("with reduced motion the recorded strengths follow each other up and down", () => {
  const shown = Array.from({ length: 8 }, (_, i) => stepwise(900 * i + 10, [0, 0.5, 1]));
  assert.deepEqual(shown, [0, 0.5, 1, 0.5, 0, 0.5, 1, 0.5]);
  assert.equal(stepwise(12_345, [0]), 0);
});

let frames;
let clock;
let seen;
let host;
let player;

function pass(milliseconds) {
  clock += milliseconds;
  const due = frames;
  frames = new Map();
  for (const call of due.values()) call(clock);
}

beforeEach(() => {
  frames = new Map();
  clock = 1000;
  seen = { strengths: [], playing: [] };
  host = { strength: 0, largest: 1, recorded: [0, 0.5, 1], isReducedMotion: false, isHidden: false };
  let id = 0;
  globalThis.requestAnimationFrame = (call) => (frames.set(++id, call), id);
  globalThis.cancelAnimationFrame = (frame) => frames.delete(frame);
  globalThis.performance.now = () => clock;
  player = new Player({
    current: () => host,
    onStrength: (strength) => seen.strengths.push(strength),
    onPlaying: (playing) => seen.playing.push(playing),
    isReducedMotion: () => host.isReducedMotion,
    isHidden: () => host.isHidden,
  });
});

afterEach(() => {
  delete globalThis.requestAnimationFrame;
  delete globalThis.cancelAnimationFrame;
  delete globalThis.performance.now;
});

test("the player starts at the present strength and pauses on demand", () => {
  host.strength = 0.5;
  player.toggle();
  pass(16);
  assert.ok(seen.strengths[0] > 0.5 && seen.strengths[0] < 0.52);
  player.toggle();
  pass(16);
  assert.equal(seen.strengths.length, 1);
  assert.deepEqual(seen.playing, [true, false]);
});

test("the player waits while the page is hidden", () => {
  player.toggle();
  pass(100);
  const [before] = seen.strengths;
  host.isHidden = true;
  pass(10_000);
  host.isHidden = false;
  pass(1);
  assert.ok(seen.strengths.at(-1) - before < 0.01);
});

for (const still of [false, true]) {
  test(`the player waits, ${still ? "in steps" : "in motion"}, while there are no morphs`, () => {
    Object.assign(host, { strength: 0.3, isReducedMotion: still });
    player.toggle();
    pass(still ? 1000 : 100);
    const before = seen.strengths.length;
    assert.ok(before);
    const { largest, recorded } = host;
    Object.assign(host, { largest: 0, recorded: [] });
    pass(10_000);
    assert.equal(seen.strengths.length, before);
    Object.assign(host, { largest, recorded });
    pass(1);
    assert.ok(Math.abs(seen.strengths.at(-1) - seen.strengths[before - 1]) < 0.01, "it goes on where it stood");
    assert.deepEqual(seen.playing, [true]);
  });
}

test("without morphs the player does not start", () => {
  host.largest = 0;
  player.toggle();
  assert.equal(player.playing, false);
});

test("with reduced motion only recorded strengths are shown", () => {
  host.isReducedMotion = true;
  player.toggle();
  for (let i = 0; i < 400; i++) pass(16);
  assert.ok(seen.strengths.every((strength) => host.recorded.includes(strength)));
  assert.ok(new Set(seen.strengths).size === 3);
});
