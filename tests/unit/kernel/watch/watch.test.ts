import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createSignals } from "../../../../src/kernel/signals";
import { Watch } from "../../../../src/kernel/watch/watch";

test("a cell whose time is over is told to end, one that began after it is not", async () => {
  let told = 0;
  const watch = new Watch(createSignals(), { full: () => {}, overdue: () => told++ });
  try {
    watch.begin(1);
    while (told === 0) await pause(5); // the thread begins in its own time
    watch.end();
    await pause(100);
    told = 0;
    watch.begin(200);
    watch.end();
    watch.begin(60_000);
    await pause(600);
    assert.equal(told, 0, "the deadline was another cell's");
    watch.begin();
    await pause(100);
    assert.equal(told, 0);
  } finally {
    watch.close();
  }
});
