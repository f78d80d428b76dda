import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type LiveRun, live, progress } from "../../../src/notebook";
import type { LiveRecord } from "../../../src/notebook/liveRun";
import type { DisplayMessage } from "../../../src/notebook/outputs";
import { captureDisplays } from "../../../src/notebook/tslab";

interface Shown {
  at: number;
  id: string | undefined;
  html: string;
  text: string;
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
        text: String(message.data["text/plain"]),
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
      "data:image/svg+xml",
      "mean loss",
      "top-1 (%)",
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
      /background:#d0404f[^>]*>failed[\s\S]*loss is not finite &lt;at step 2&gt;/,
    );
    const stopped = new FakeRun(10, async (self) => {
      self.step(3);
      self.state = "stopped";
    });
    live(stopped);
    await stopped.done;
    assert.match(shown[shown.length - 1]!.html, />stopped</);
  });

  it("draws raw and smoothed loss and the learning rate as an image, and a table of the last epochs", async () => {
    const run = new FakeRun(400, async (self) => {
      for (let step = 1; step <= 400; step++) self.step(step);
    });
    live(run);
    await run.done;
    const html = shown[shown.length - 1]!.html;
    const svg = Buffer.from(/data:image\/svg\+xml;base64,([^"]+)/.exec(html)![1]!, "base64").toString();
    for (const text of ["loss of each step", "mean over 16 steps", "learning rate", "optimizer step"])
      assert.ok(svg.includes(`>${text}<`), text);
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    assert.ok(html.length < 40_000, `${html.length} characters`);
    assert.match(html, /… 10 earlier epochs/);
    assert.equal(html.match(/<tr>/g)?.length, 11);
  });

  it("always says the same in one line of text", async () => {
    const run = new FakeRun(4, async (self) => self.step(4));
    live(run);
    await run.done;
    assert.match(
      shown[shown.length - 1]!.text,
      /^pretrain step 4 of 4 · loss 0\.5 · top1 0\.04 · lr 1\.00e-4 · 64 images\/s/,
    );
  });
});

describe("progress", () => {
  let shown: Shown[] = [];
  let restore = () => {};
  const last = () =>
    shown[shown.length - 1]!.text.replace(/ · [\d.]+ (m?s|min).*?(?= · | \||$)/g, "").replace(
      / · [\d,.e+]+\/s/g,
      "",
    );
  async function* letters() {
    yield "a";
    yield "b";
  }

  beforeEach(() => {
    shown = [];
    restore = captureDisplays((message: DisplayMessage) => {
      const { "text/html": html, "text/plain": text } = message.data;
      const id = message.transient?.display_id;
      shown.push({ at: Date.now(), id, html: String(html), text: String(text) });
    });
  });
  afterEach(() => restore());

  it("passes items on, whether they come at once or later, with a known length or without", async () => {
    assert.deepEqual([...progress([1, 2, 3], { label: "images" })], [1, 2, 3]);
    assert.equal(last(), "images 3 of 3");
    assert.deepEqual([...progress(new Set("ab"), { label: "set" })], ["a", "b"]);
    assert.equal(last(), "set 2 of 2");
    const seen: string[] = [];
    for await (const letter of progress(letters(), { label: "letters" })) seen.push(letter);
    assert.deepEqual(seen, ["a", "b"]);
    assert.equal(last(), "letters 2");
    for await (const _ of progress(letters(), { total: 2 }));
    assert.equal(last(), "progress 2 of 2");
    assert.deepEqual([...progress([])], []);
    assert.equal(last(), "progress 0 of 0");
    assert.equal(new Set(shown.map(({ id }) => id)).size, 5, "a display each");
  });

  it("a loop that is left is stopped, one whose body throws too, one whose items fail says why", async () => {
    for (const item of progress([1, 2, 3])) if (item === 2) break;
    assert.equal(last(), "progress 1 of 3 · stopped");
    assert.throws(() => {
      for (const _ of progress([1, 2])) throw new Error("in the body");
    }, /in the body/);
    assert.equal(last(), "progress 0 of 2 · stopped");
    function* broken() {
      yield 1;
      throw new Error("disk is gone\nat line 3");
    }
    assert.throws(() => [...progress(broken(), { label: "files" })], /disk is gone/);
    assert.equal(last(), "files 1 · failed: disk is gone");
    assert.match(shown[shown.length - 1]!.html, /#d0404f/);
  });

  it("loops within loops share a display in which finished inner bars make room", async () => {
    for (const epoch of progress([1, 2, 3], { label: "epochs" })) {
      for await (const _ of progress(letters(), { label: `letters of ${epoch}` })) await sleep(1);
      if (epoch === 2) await sleep(220);
    }
    assert.equal(new Set(shown.map(({ id }) => id)).size, 1);
    assert.ok(
      shown.some(({ text }) => /epochs 1 of 3.*\| letters of 2 2/.test(text)),
      shown.map(({ text }) => text).join("\n"),
    );
    assert.equal(last(), "epochs 3 of 3");
  });

  it("an inner loop that stops stays visible; the next loop has a display of its own", () => {
    for (const _ of progress([1], { label: "outer" }))
      for (const _inner of progress([1, 2], { label: "inner" })) break;
    assert.equal(last(), "outer 1 of 1 | inner 0 of 2 · stopped");
    for (const _ of progress([1], { label: "next" }));
    assert.equal(last(), "next 1 of 1");
    assert.equal(new Set(shown.map(({ id }) => id)).size, 2);
  });
});
