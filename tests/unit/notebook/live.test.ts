import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type LiveRecord, type LiveRun, live, progress } from "../../../src/notebook";
import type { DisplayMessage } from "../../../src/notebook/outputs";
import { captureDisplays } from "../../../src/notebook/tslab";

interface Shown {
  at: number;
  id: string | undefined;
  html: string;
}

class FakeRun implements LiveRun {
  readonly name = "pretrain";
  readonly history: LiveRecord[] = [];
  state: LiveRun["state"] = "running";
  readonly done: Promise<unknown>;
  private readonly listeners = new Set<(record: LiveRecord) => void>();

  constructor(
    readonly totalSteps: number,
    work: (run: FakeRun) => Promise<void>,
  ) {
    this.done = Promise.resolve().then(() => work(this));
  }

  get latest(): LiveRecord | undefined {
    return this.history[this.history.length - 1];
  }

  onRecord(listener: (record: LiveRecord) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  step(step: number): void {
    const record = {
      step,
      epoch: Math.floor((step - 1) / 20),
      loss: 2 / step,
      lr: 1e-4,
      imagesPerSecond: 64,
      top1: step / 100,
    };
    this.history.push(record);
    for (const listener of this.listeners) listener(record);
  }
}

describe("live displays in a notebook", () => {
  let shown: Shown[] = [];
  let restore = () => {};

  beforeEach(() => {
    shown = [];
    restore = captureDisplays((message: DisplayMessage) => {
      shown.push({
        at: Date.now(),
        id: message.transient?.display_id,
        html: String(message.data["text/html"]),
      });
    });
  });
  afterEach(() => restore());

  it("updates one display at most five times a second and keeps the final state", async () => {
    const run = new FakeRun(60, async (self) => {
      for (let step = 1; step <= 60; step++) {
        self.step(step);
        await sleep(10);
      }
      self.state = "done";
    });
    const started = Date.now();
    live(run);
    await run.done;
    const seconds = (Date.now() - started) / 1000;
    assert.ok(shown.length >= 3, `${shown.length} updates`);
    assert.ok(shown.length <= 5 * seconds + 3, `${shown.length} updates in ${seconds} s`);
    assert.equal(new Set(shown.map(({ id }) => id)).size, 1);
    const last = shown[shown.length - 1]!.html;
    for (const text of [
      "done",
      "step 60 of 60",
      "images/s",
      "lr 1.00e-4",
      "memory",
      "<svg",
      "mean loss",
      "top1",
    ])
      assert.ok(last.includes(text), text);
    const count = shown.length;
    await sleep(300);
    assert.equal(shown.length, count, "nothing follows the final state");
  });

  it("shows a failed run in red with its message, and a stopped one as stopped", async () => {
    const failing = new FakeRun(10, async (self) => {
      self.step(1);
      throw new Error("loss is not finite <at step 2>");
    });
    live(failing);
    await assert.rejects(failing.done);
    assert.match(
      shown[shown.length - 1]!.html,
      /color:#d0404f[^>]*>failed[\s\S]*loss is not finite &lt;at step 2&gt;/,
    );
    const stopped = new FakeRun(10, async (self) => {
      self.step(3);
      self.state = "stopped";
    });
    live(stopped);
    await stopped.done;
    assert.match(shown[shown.length - 1]!.html, />stopped</);
  });

  it("passes the items of sync and async iterables through and ends complete or stopped", async () => {
    assert.deepEqual([...progress([1, 2, 3], { label: "images" })], [1, 2, 3]);
    assert.match(shown[shown.length - 1]!.html, /images 3 of 3/);
    async function* letters() {
      yield "a";
      yield "b";
    }
    const seen: string[] = [];
    for await (const letter of progress(letters(), { label: "letters" })) {
      seen.push(letter);
      break;
    }
    assert.deepEqual(seen, ["a"]);
    assert.match(shown[shown.length - 1]!.html, /stopped/);
  });
});
