import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { Pace } from "../../../src/notebook/pace";
import { ProgressBar } from "../../../src/notebook/progressBar";

test("a download says how many bytes have come, how fast, and how long the rest will take", () => {
  let now = 0;
  const work = { label: "model.safetensors", total: 400e6, kept: 100e6, unit: "bytes" } as const;
  const bar = new ProgressBar(work, () => now);
  assert.equal(bar.text(), "model.safetensors 100.0 of 400.0 MB · 100.0 MB were here · 0 ms");
  for (let second = 1; second <= 10; second++) {
    now = 1000 * second;
    bar.reach(100e6 + 10e6 * second);
  }
  assert.equal(
    bar.text(),
    "model.safetensors 200.0 of 400.0 MB · 100.0 MB were here · 10.0 MB/s · 10.0 s · 20.0 s left",
  );
  assert.equal(bar.share(), 0.5);
  bar.end("stopped");
  assert.match(bar.html(), /width:50\.0%;background:#d0404f/);
  assert.match(bar.text(), /stopped; what has come is kept$/);
});

describe("the time that is left", () => {
  /** Seconds left for `rest` steps after steps that took so many milliseconds each. */
  function after(milliseconds: readonly number[], rest = 10): number | undefined {
    let now = 0;
    const pace = new Pace(() => now);
    pace.reach(0);
    for (const [index, took] of milliseconds.entries()) {
      now += took;
      pace.reach(index + 1);
    }
    return pace.secondsFor(rest);
  }

  it("is not said within the first three steps", () => {
    assert.equal(after([]), undefined);
    assert.equal(after([5000, 200]), undefined);
    assert.equal(after([5000, 200, 200]), 2);
  });

  it("is the median of the last steps: neither the first one nor a pause now and then counts", () => {
    assert.equal(after([60_000, ...Array<number>(20).fill(500), 90_000, 500], 4), 2);
    const slower = [...Array<number>(100).fill(100), ...Array<number>(20).fill(400)];
    assert.equal(after(slower, 10), 4, "what became slow is taken as slow");
  });

  it("takes steps together that are shorter than the clock can tell", () => {
    let now = 0;
    const pace = new Pace(() => Math.floor(now));
    pace.reach(0);
    for (let step = 1; step <= 10_000; step++) {
      now += 0.1;
      pace.reach(step);
    }
    assert.ok(Math.abs(pace.secondsFor(10_000)! - 1) < 0.02);
  });

  it("begins anew where steps are made again", () => {
    let now = 0;
    const pace = new Pace(() => now);
    for (const step of [0, 1, 2, 3, 1, 2, 3, 4]) {
      pace.reach(step);
      now += 1000;
    }
    assert.equal(pace.secondsFor(5), 5);
  });
});

test("a bar is never fuller than full, and nothing of nothing is none of it", () => {
  const bar = new ProgressBar({ label: "files", total: 2 }, () => 0);
  bar.reach(5);
  assert.equal(bar.share(), 1);
  assert.equal(new ProgressBar({ label: "files", total: 0 }, () => 0).share(), 0);
});
