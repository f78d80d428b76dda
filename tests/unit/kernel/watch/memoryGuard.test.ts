import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { getHeapStatistics } from "node:v8";
import { runInThisContext } from "node:vm";
import { createSignals } from "../../../../src/kernel/signals";
import { MemoryGuard } from "../../../../src/kernel/watch/memoryGuard";
import { heapLimit, letWatch, question } from "../../../../src/kernel/watch/watched";

/** A guard of cells whose share of the memory the test sets, on a clock that it moves. */
function guarded(t: TestContext, limit = 1) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const state = {
    share: 0,
    cell: undefined as string | undefined,
    stops: true,
    full: 0,
    asked: [] as string[],
  };
  const cells = {
    ask: async (...asked: [string, number?]) => {
      state.asked.push(asked.join(" "));
      return asked[0] === "heapShare" ? state.share : state.stops;
    },
  };
  const guard = new MemoryGuard(
    cells as never,
    limit,
    () => state.cell,
    () => state.full++,
  );
  const after = async (milliseconds: number) => {
    state.asked.length = 0;
    t.mock.timers.tick(milliseconds);
    await new Promise((done) => setImmediate(done));
    return [...state.asked];
  };
  t.after(() => guard.close());
  return { state, after, guard };
}

test("memory is looked at every 50 ms while a cell runs, and every 10 where it is more than 0.6 full", async (t) => {
  const { state, after, guard } = guarded(t);
  assert.deepEqual(await after(50), [], "no cell runs");
  state.cell = "a";
  assert.deepEqual([await after(49), await after(1)], [[], ["heapShare"]]);
  state.share = 0.6;
  assert.deepEqual(await after(50), ["heapShare"]);
  assert.deepEqual(await after(10), [], "not yet");
  state.share = 0.61;
  assert.deepEqual(await after(40), ["heapShare"]);
  assert.deepEqual([await after(9), await after(1)], [[], ["heapShare"]]);
  state.share = 0;
  await after(50);
  guard.close();
  assert.deepEqual(await after(100), []);
});

test("a cell is ended at 0.92 of the memory, where garbage is no part of that, and once", async (t) => {
  const { state, after } = guarded(t);
  Object.assign(state, { cell: "a", share: 0.5 });
  await after(50);
  state.share = 0.9199;
  assert.deepEqual(await after(50), ["heapShare"]);
  Object.assign(state, { share: 0.92, stops: false });
  assert.ok((await after(10)).includes("isFull 0.92"));
  assert.equal(state.full, 0, "a collection has freed it");
  state.stops = true;
  assert.ok((await after(50)).includes("isFull 0.92"));
  assert.equal(state.full, 1);
  for (let looks = 0; looks < 5; looks++) assert.ok(!(await after(50)).includes("isFull 0.92"));
  assert.equal(state.full, 1);
});

test("a cell that begins with a full memory may take 0.02 more, as it may be the one that frees it", async (t) => {
  const { state, after } = guarded(t);
  Object.assign(state, { cell: "a", share: 0.95 });
  assert.deepEqual(await after(50), ["heapShare"]);
  state.share = 0.969;
  assert.ok(!(await after(50)).some((asked) => asked.startsWith("isFull")));
  state.share = 0.9701;
  await after(50);
  assert.equal(state.full, 1);
  Object.assign(state, { cell: "b", share: 0.3 });
  await after(50);
  state.share = 0.93;
  await after(50);
  assert.equal(state.full, 2, "the next cell has the usual share");
});

test("where the whole process has little, nothing is asked", async (t) => {
  const { state, after } = guarded(t, 100 * process.memoryUsage.rss());
  state.cell = "a";
  assert.deepEqual(await after(200), []);
});

test("what a thread answers of itself: the share in use, and what has become of an interrupt", () => {
  const watched = {
    hears: () => "deaf" as "deaf" | "listening" | "heard",
    isOverdue: () => false,
    isInCode: () => false,
  };
  const ask = (...asked: Parameters<typeof question>): unknown => runInThisContext(question(...asked));
  const undo = letWatch(watched, createSignals());
  try {
    const share = ask("heapShare") as number;
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    assert.equal(heapLimit(), heap_size_limit - 48 * 2 ** 20);
    assert.ok(Math.abs(share - used_heap_size / heapLimit()) < 0.02, `${share}`);
    assert.deepEqual([ask("isOverdue"), ask("isFull", 0)], [false, false], "no cell's code runs");
    assert.equal(ask("hears", 1), "heard", "there is nothing to stop");
    watched.hears = () => "listening";
    assert.equal(ask("hears", 1), "listening");
    watched.isOverdue = () => true;
    watched.isInCode = () => true;
    assert.equal(ask("isFull", 2), false);
  } finally {
    undo();
  }
  assert.equal(ask("hears", 1), undefined);
});

test("memory is full of what is needed alone: garbage is collected first, each time", () => {
  let asks = 0;
  const isInCode = () => ++asks === 1; // and not when the code would be stopped
  const undo = letWatch({ hears: () => "heard", isOverdue: () => false, isInCode }, createSignals());
  const ask = (...asked: Parameters<typeof question>): unknown => runInThisContext(question(...asked));
  const isFull = (share: number): boolean => {
    asks = 0;
    ask("isFull", share);
    return asks === 2;
  };
  try {
    for (const time of ["first", "second", "third"]) {
      let large: unknown = new Array(Math.ceil((0.04 * heapLimit()) / 8)).fill(0);
      const share = Number(ask("heapShare")) - 0.002;
      assert.equal(isFull(share), true, `${time}: needed`);
      assert.ok(large);
      large = undefined;
      assert.equal(isFull(share), false, `${time}: let go`);
    }
  } finally {
    undo();
  }
});
