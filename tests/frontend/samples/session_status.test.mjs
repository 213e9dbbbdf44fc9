import assert from "node:assert/strict";
import { test } from "node:test";
import { noSamplesCaption, overheadCaption, runNotices, worstFirst } from "../../../frontend/samples/session_status.js";
import { makeNotice, makeRunSession, makeStatus } from "../statuses.mjs";

const messages = (sessions) => worstFirst(runNotices({ run: "a", sessions })).map(({ message }) => message);

test("the worst notice comes first", () => {
  const notices = ["info", "warning", "error"].map((severity) => makeNotice({ severity, message: severity }));
  assert.deepEqual(messages([makeRunSession({ notices })]), ["error", "warning", "info"]);
});

test("the ranks of a job do not repeat each other, and their counts are added up", () => {
  const notices = [makeNotice({ step: 1200, count: 3 })];
  const found = runNotices({ run: "a", sessions: [makeRunSession({ notices }), makeRunSession({ notices })] });
  assert.deepEqual(found.map((notice) => notice.found), ["first at step 1,200, 6 times"]);
});

test("an earlier session tells its notices as long as its samples are shown", () => {
  const old = makeRunSession({ notices: [makeNotice({ message: "old" })] });
  const recent = makeRunSession({ notices: [makeNotice({ message: "new" })] });
  assert.deepEqual(messages([old, recent]), ["new", "old"]);
  assert.deepEqual(messages([{ ...old, shown: 0 }, recent]), ["new"]);
});

test("a newer session without captures is told, but not if it is a rank of the same job", () => {
  const old = makeRunSession();
  const empty = { ...makeRunSession(), captures: 0, shown: 0 };
  assert.match(messages([old, empty])[0], /^A newer session, started at .+, has captured nothing so far\./);
  assert.match(messages([old, { ...empty, status: makeStatus({ ended: true }) }])[0], /ended without a capture/);
  assert.deepEqual(messages([old, { ...empty, status: null }]), []);
  const rank = (session, number) => ({ ...session, session: { ...session.session, rank: number, world_size: 2 } });
  assert.deepEqual(messages([rank(old, 0), rank(empty, 1)]), []);
});

test("a run without samples says why", () => {
  const why = (fields) => noSamplesCaption(makeStatus({ steps: 1200, ...fields }));
  assert.match(why({}), /^the hook is running: no capture yet, 1,200 steps seen\./);
  assert.match(why({ steps: 1 }), /1 step seen/);
  assert.equal(why({ ended: true }), "the hook was closed and captured nothing, 1,200 steps seen.");
  const least = { least_margin: 0.62 };
  assert.equal(why(least), "nothing was confused so far: smallest margin 0.62, 1,200 steps seen.");
  assert.equal(why({ ...least, ended: true }), "nothing was confused: smallest margin 0.62, 1,200 steps seen.");
  const fault = makeNotice({ severity: "error", message: "It is uint8.", remedy: "Call x.float()." });
  const short = "no samples: every capture failed so far. See the notice above.";
  assert.equal(why({ ...least, failed: 3, notices: [makeNotice(), fault] }), short);
  assert.equal(why({ failed: 3 }), "no samples: every capture failed so far, 1,200 steps seen.");
  assert.match(why({ captured: 32 }), /its 32 captured samples are under another tag/);
});

test("the time of captures is told in words", () => {
  assert.equal(overheadCaption(makeStatus({ overhead: 4.2, elapsed: 525 })), "4.2 s, 0.8 % of the training");
  assert.equal(overheadCaption(makeStatus({ overhead: 0, elapsed: 0 })), "0 s");
  assert.equal(overheadCaption(makeStatus({ overhead: 4, elapsed: 2 })), "4 s, longer than the training itself");
});
