import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupts } from "../../../../src/kernel/executor/interrupts";
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
