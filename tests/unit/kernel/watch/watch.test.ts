import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createSignals, slot } from "../../../../src/kernel/signals";
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

test("loops of a cell whose time is over are asked to end, and a process that it waits for is interrupted", async () => {
  const signals = createSignals();
  let told = 0;
  const watch = new Watch(signals, { full: () => {}, overdue: () => told++ });
  const child = spawn("sleep", ["60"]);
  const other = spawn("sleep", ["60"]);
  try {
    Atomics.store(signals, slot.wait, 3);
    watch.waits({ number: 3, others: [other.pid!] });
    watch.begin(1);
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGINT");
    assert.equal(other.signalCode, null, "nothing waits for the other one");
    while (told === 0) await pause(5);
    assert.equal(Atomics.load(signals, slot.stop), 1);
  } finally {
    child.kill("SIGKILL");
    other.kill("SIGKILL");
    watch.close();
  }
});
