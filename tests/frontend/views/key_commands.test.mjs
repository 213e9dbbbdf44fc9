import assert from "node:assert/strict";
import { test } from "node:test";

import { commandOf, neighbour, nextStrength } from "../../../frontend/views/common/key_commands.js";

const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more });

test("a text field receives all keys", () => {
  for (const key of ["+", "-", "/", "?", " ", "ArrowLeft", "Enter", "Home"]) {
    assert.equal(commandOf(press(key), "text"), null);
  }
});

test("a slider receives the arrows, and a button receives space and Enter", () => {
  for (const key of ["ArrowLeft", "Home", " ", "Enter"]) {
    assert.equal(commandOf(press(key), "choice"), null);
    assert.equal(commandOf(press(key), "button"), null);
  }
  assert.equal(commandOf(press("?"), "button"), "help");
  assert.equal(commandOf(press("+"), "choice"), "stronger");
});

test("keys with Ctrl, Alt or ⌘ are left to the browser", () => {
  for (const held of ["ctrlKey", "metaKey", "altKey"]) {
    assert.equal(commandOf(press("+", { [held]: true }), "page"), null);
  }
});

test("on a card the arrows move, Enter opens and space plays", () => {
  assert.equal(commandOf(press("ArrowDown"), "card"), "down");
  assert.equal(commandOf(press("Enter"), "card"), "open");
  assert.equal(commandOf(press(" "), "card"), "play");
  assert.equal(commandOf(press("x"), "card"), null);
  assert.equal(commandOf(press("toString"), "card"), null);
});

test("strengths change by exact twentieths and stay within the ends", () => {
  assert.equal(nextStrength(0.1, "stronger", 1.25), 0.15);
  assert.equal(nextStrength(0.15, "weaker", 1.25), 0.1);
  assert.equal(nextStrength(0.73, "stronger", 1.25), 0.75);
  assert.equal(nextStrength(0.73, "weaker", 1.25), 0.7);
  assert.equal(nextStrength(0, "weaker", 1.25), 0);
  assert.equal(nextStrength(1.24, "stronger", 1.25), 1.25);
  let strength = 0;
  for (let presses = 1; presses <= 25; presses++) {
    strength = nextStrength(strength, "stronger", 1.25);
    assert.equal(strength.toFixed(2), (presses / 20).toFixed(2));
  }
});

test("arrows follow the columns and stop at the ends", () => {
  const columns = 3;
  const go = (from, command) => neighbour(from, command, columns, 8);
  assert.deepEqual([go(0, "right"), go(0, "left"), go(1, "down"), go(4, "up")], [1, 0, 4, 1]);
  assert.deepEqual([go(1, "up"), go(7, "right"), go(6, "down")], [1, 7, 6]);
  assert.deepEqual([go(4, "first"), go(4, "last")], [0, 7]);
  // The last row is short. Down from the sixth sample goes to the last one.
  assert.equal(go(5, "down"), 7);
});

test("B shows the originals, but a text field and a list keep their letters", () => {
  for (const key of ["b", "B"]) {
    for (const focus of ["page", "card", "button", "choice"]) assert.equal(commandOf(press(key), focus), "blink");
    for (const focus of ["text", "list"]) assert.equal(commandOf(press(key), focus), null);
  }
});

test("the arrow keys move from item to item, and an item is pressed by Enter and space", () => {
  assert.equal(commandOf(press("ArrowDown"), "item"), "down");
  assert.equal(commandOf(press("End"), "item"), "last");
  for (const key of ["Enter", " "]) assert.equal(commandOf(press(key), "item"), null);
});
