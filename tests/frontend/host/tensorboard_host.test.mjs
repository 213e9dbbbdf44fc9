import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { connect, followLink, followTheme, writeLink } from "../../../frontend/host/tensorboard_host.js";

const REAL_CHANNEL = globalThis.MessageChannel;

/** What the page sent over the port, and how TensorBoard sends something itself. */
let sent = [];
let port;
let posted = [];
let heard = { reloads: 0, orders: [] };

/** The page's end of a channel that needs no event loop. */
class Channel {
  port1 = { postMessage: (text) => sent.push(JSON.parse(text)), onmessage: null };
  port2 = {};
  constructor() {
    port = this.port1;
  }
}

function tell(message) {
  port.onmessage({ data: JSON.stringify(message) });
}

function listen() {
  connect({ onReload: () => heard.reloads++, onRunOrder: (runs) => heard.orders.push(runs) });
}

beforeEach(() => {
  sent = [];
  posted = [];
  heard = { reloads: 0, orders: [] };
  mock.timers.enable({ apis: ["setTimeout"] });
  globalThis.MessageChannel = Channel;
  globalThis.window = { parent: { postMessage: (...message) => posted.push(message) } };
});

afterEach(() => {
  mock.timers.reset();
  globalThis.MessageChannel = REAL_CHANNEL;
  delete globalThis.MutationObserver;
  delete globalThis.window;
});

const GET_RUNS = { type: "experimental.GetRuns", payload: null, error: null, isReply: false };

test("TensorBoard receives the other end of the channel and a request for its runs", () => {
  listen();
  assert.equal(posted.length, 1);
  assert.deepEqual(posted[0].slice(0, 2), ["experimental.bootstrap", "*"]);
  assert.deepEqual(sent, [{ ...GET_RUNS, id: 0 }]);
});

test("the order of the runs comes from TensorBoard, and an error is ignored", () => {
  listen();
  const reply = { ...GET_RUNS, id: 0, isReply: true };
  tell({ ...reply, payload: ["b", "a"] });
  tell({ ...reply, error: "no" });
  tell({ ...reply, type: "experimental.GetURLPluginData", payload: ["c"] });
  assert.deepEqual(heard, { reloads: 0, orders: [["b", "a"]] });
  assert.equal(sent.length, 1, "a reply is not answered");
});

test("each of TensorBoard's messages is answered with its own type and id", () => {
  listen();
  sent = [];
  const messages = ["experimental.RunsChanged", "experimental.DataReloaded", "unknown"].map((type, i) => ({
    type,
    id: 7 + i,
    payload: [],
    error: null,
    isReply: false,
  }));
  messages.forEach(tell);
  assert.deepEqual(sent, messages.map(({ type, id }) => ({ type, id, payload: null, error: null, isReply: true })));
});

test("a burst of changes causes one reload and one request for the order, and a later change another", () => {
  listen();
  const change = (type) => {
    tell({ type, id: 0, payload: null, error: null, isReply: false });
    mock.timers.tick(100);
  };
  for (let i = 0; i < 5; i++) change("experimental.RunsChanged");
  change("experimental.DataReloaded");
  assert.equal(heard.reloads, 0);
  mock.timers.tick(100);
  assert.equal(heard.reloads, 1);
  assert.deepEqual(sent.filter(({ isReply }) => !isReply), [{ ...GET_RUNS, id: 0 }, { ...GET_RUNS, id: 1 }]);
  change("unknown");
  mock.timers.tick(1000);
  assert.equal(heard.reloads, 1);
  change("experimental.DataReloaded");
  mock.timers.tick(100);
  assert.equal(heard.reloads, 2);
});

test("a page without TensorBoard around it sends no messages", () => {
  window.parent = window;
  listen();
  assert.deepEqual([posted, sent], [[], []]);
});

/** A stand-in for TensorBoard's body, whose class someone toggles. */
function hostBody(dark) {
  const body = { classList: { contains: (name) => name === "dark-mode" && dark } };
  let changed;
  globalThis.MutationObserver = class {
    constructor(callback) {
      changed = callback;
    }
    observe(node, options) {
      assert.equal(node, body);
      assert.deepEqual(options.attributeFilter, ["class"]);
    }
  };
  const toggle = () => {
    dark = !dark;
    changed();
  };
  return { body, toggle };
}

test("the theme follows TensorBoard from the start", () => {
  const { body, toggle } = hostBody(true);
  window.parent.document = { body };
  const themes = [];
  followTheme((theme) => themes.push(theme));
  toggle();
  toggle();
  assert.deepEqual(themes, ["dark", "light", "dark"]);
});

for (const [where, arrange] of Object.entries({
  alone: () => (window.parent = window),
  "in a page of another origin": () =>
    Object.defineProperty(window.parent, "document", {
      get() {
        throw new DOMException("Blocked a frame", "SecurityError");
      },
    }),
})) {
  test(`the theme follows the browser if the page is ${where}`, () => {
    arrange();
    const query = new EventTarget();
    query.matches = true;
    window.matchMedia = (text) => {
      assert.equal(text, "(prefers-color-scheme: dark)");
      return query;
    };
    const themes = [];
    followTheme((theme) => themes.push(theme));
    query.matches = false;
    query.dispatchEvent(new Event("change"));
    assert.deepEqual(themes, ["dark", "light"]);
  });
}

test("a delayed write does not replace a link that was opened meanwhile", () => {
  const written = [];
  let changed;
  const location = { hash: "#gradascent", href: "http://localhost/" };
  const history = { state: null, pushState: (...entry) => written.push(entry), replaceState: (...entry) => written.push(entry) };
  const addEventListener = (_, listener) => (changed = listener);
  globalThis.window.parent = { document: {}, location, history, addEventListener };
  const opened = [];
  followLink((link) => opened.push(link));

  writeLink({ view: "grid" }, { isChoice: true });
  location.hash = "#gradascent&p.gradascent.view=pair"; // the browser reports it a moment later
  mock.timers.tick(300);
  assert.deepEqual(written, []);
  changed();
  assert.deepEqual(opened, [{ view: "pair" }]);

  writeLink({ view: "grid" }, { isChoice: true });
  location.hash += "&other=1"; // a choice of TensorBoard's own
  mock.timers.tick(300);
  assert.match(written[0][2], /p.gradascent.view=grid/);
});
