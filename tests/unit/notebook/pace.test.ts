import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../../../src/notebook/pace";

function clock() {
  const time = { now: 0 };
  const pace = new Pace(() => time.now);
  const after = (ms: number, count: number) => {
    time.now += ms;
    pace.reach(count);
  };
  return { pace, after };
}

test("the rest is told from the fourth step on, by the median of the last", () => {
  const { pace, after } = clock();
  after(0, 0);
  for (const count of [1, 2]) after(1000, count);
  assert.equal(pace.secondsFor(10), undefined);
  after(9000, 3);
  assert.equal(pace.secondsFor(10), 10, "one slow step does not count");
});

test("a count that stands still is no step of its own, and time goes on over it", () => {
  const { pace, after } = clock();
  after(0, 0);
  after(500, 0);
  for (const count of [1, 2, 3]) after(500, count);
  assert.equal(pace.secondsFor(2), 1);
  const slow = clock();
  slow.after(0, 0);
  for (const count of [1, 2, 3]) {
    slow.after(500, count - 1);
    slow.after(500, count);
  }
  assert.equal(slow.pace.secondsFor(1), 1, "half a second each way is a second a step");
});

test("a count that goes back starts the clock again", () => {
  const { pace, after } = clock();
  after(0, 5);
  for (const count of [6, 7, 8]) after(1000, count);
  after(60_000, 2);
  after(1000, 3);
  assert.equal(pace.secondsFor(1), 1);
});
