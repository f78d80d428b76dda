import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupts, keepListening, listenForSigint } from "../../../../src/kernel/executor/interrupts";
import { createSignals } from "../../../../src/kernel/signals";

test("an interrupt that has a number is taken once, one without every time", () => {
  const interrupts = new Interrupts(createSignals());
  let told = 0;
  const listener = () => void told++;
  process.on("SIGINT", listener);
  try {
    interrupts.take(1);
    interrupts.take(1);
    assert.equal(told, 1);
    interrupts.take(2);
    interrupts.take(1);
    assert.equal(told, 2);
    interrupts.take();
    interrupts.take();
    assert.equal(told, 4);
  } finally {
    process.off("SIGINT", listener);
  }
});

test("an interrupt that nothing has taken is not heard, also where no cell runs", () => {
  const interrupts = new Interrupts(createSignals());
  assert.equal(interrupts.hears(1), "deaf");
  interrupts.take(1);
  assert.equal(interrupts.hears(1), "heard");
  assert.equal(interrupts.hears(2), "deaf");
});

test("who listened for SIGINT and has ended leaves no listener, also where a package had taken it away", () => {
  const before = process.listeners("SIGINT");
  let told = 0;
  const stop = listenForSigint(() => void told++);
  assert.equal(process.listenerCount("SIGINT"), before.length + 1);
  process.off("SIGINT", process.listeners("SIGINT").at(-1)!);
  keepListening();
  process.listeners("SIGINT").at(-1)!("SIGINT");
  assert.equal(told, 1);
  stop();
  keepListening();
  assert.deepEqual(process.listeners("SIGINT"), before);
});
