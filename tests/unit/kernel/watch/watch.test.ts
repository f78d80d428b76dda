import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { Watch } from "../../../../src/kernel/watch/watch";

test("a cell whose time is over is told to end, one that began after it is not", async () => {
  const signals = createSignals();
  const isTold = () => Atomics.load(signals, slot.stop) === 1;
  const watch = new Watch(signals, () => {});
  try {
    watch.begin(1);
    while (!isTold()) await pause(5); // the thread begins in its own time
    watch.end();
    Atomics.store(signals, slot.stop, 0);
    watch.begin(200);
    watch.end();
    watch.begin(60_000);
    await pause(600);
    assert.equal(isTold(), false, "the deadline was another cell's");
    watch.begin();
    await pause(100);
    assert.equal(isTold(), false);
  } finally {
    watch.close();
  }
});
