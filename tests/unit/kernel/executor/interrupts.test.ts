import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { currentExecution, Execution } from "../../../../src/kernel/executor/execution";
import {
  Interrupts,
  keepListening,
  leaveSegment,
  listenForSigint,
} from "../../../../src/kernel/executor/interrupts";
import { createSignals, segment, slot } from "../../../../src/kernel/signals";

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

/** Interrupts of one running cell, on a clock that the test moves. */
function running(t: TestContext): {
  signals: Int32Array;
  interrupts: Interrupts;
  cell: Execution;
  failed: string[];
  stop: () => number;
} {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
  const signals = createSignals();
  const interrupts = new Interrupts(signals);
  const cell = new Execution("cell [1]", {} as never);
  const failed: string[] = [];
  cell.fail = (error) => void failed.push((error as Error).message);
  interrupts.watch(cell);
  const stop = () => Atomics.load(signals, slot.stop);
  return { signals, interrupts, cell, failed, stop };
}

test("a cell that is interrupted ends at once, and its loops throw until it has come to its end", (t) => {
  const { interrupts, cell, failed, stop, signals } = running(t);
  assert.equal(stop(), 0);
  interrupts.take(1);
  assert.deepEqual([failed, stop(), Atomics.load(signals, slot.heard)], [["the cell was interrupted"], 1, 1]);
  assert.throws(() => currentExecution.run(cell, interrupts.halt), { name: "KeyboardInterrupt" });
  interrupts.halt(); // code of no cell
  assert.throws(() => interrupts.check(cell), { name: "KeyboardInterrupt" });
  assert.equal(stop(), 0, "it has ended");
});

test("loops of a cell that never comes back are asked for a minute", (t) => {
  const { interrupts, stop } = running(t);
  interrupts.take();
  t.mock.timers.tick(59_999);
  assert.equal(stop(), 1);
  t.mock.timers.tick(1);
  assert.equal(stop(), 0);
});

test("a library that listens has 1.4 s to save, and a second interrupt waits for nobody", (t) => {
  const { interrupts, failed, stop, cell } = running(t);
  const listener = () => {};
  process.on("SIGINT", listener);
  try {
    interrupts.take(1);
    assert.deepEqual([failed, stop()], [[], 1]);
    t.mock.timers.tick(1399);
    currentExecution.run(cell, interrupts.halt);
    assert.equal(failed.length, 0);
    t.mock.timers.tick(1);
    assert.match(failed.join(), /finishes its step and saves: await run\.done/);
    const next = new Execution("cell [2]", {} as never);
    next.fail = (error) => void failed.push(`2: ${(error as Error).message}`);
    interrupts.watch(next);
    interrupts.take(2);
    assert.equal(failed.length, 1);
    interrupts.take(3);
    assert.equal(failed[1], "2: the cell was interrupted");
  } finally {
    process.off("SIGINT", listener);
  }
});

test("a loop that computes hears that a library's time is over, where no timer could", (t) => {
  const { interrupts, failed, cell } = running(t);
  const listener = () => {};
  process.on("SIGINT", listener);
  try {
    interrupts.take(1);
    t.mock.timers.reset();
    t.mock.timers.enable({ apis: ["Date"], now: 1e12 + 1400 });
    currentExecution.run(cell, interrupts.halt);
    assert.equal(failed.length, 0);
    t.mock.timers.setTime(1e12 + 1401);
    assert.throws(() => currentExecution.run(cell, interrupts.halt), /finishes its step and saves/);
  } finally {
    process.off("SIGINT", listener);
  }
});

test("an interrupt that is waiting is taken by a loop, and ends what an earlier cell has left running too", (t) => {
  const { signals, interrupts, cell, failed } = running(t);
  const left = new Execution("cell [0]", {} as never);
  left.fail = () => {};
  currentExecution.run(left, interrupts.halt);
  Atomics.store(signals, slot.request, 1);
  assert.throws(() => currentExecution.run(left, interrupts.halt), { name: "KeyboardInterrupt" });
  assert.deepEqual([failed.length, cell.interruption?.name], [1, "KeyboardInterrupt"]);
  assert.deepEqual([interrupts.catchUp(), interrupts.hears(1)], [false, "heard"]);
});

test("interrupts of before a cell was asked for are not for it, later ones are, also if it has not started", (t) => {
  const { signals, interrupts } = running(t);
  Atomics.store(signals, slot.request, 5);
  const watched = (asked?: number) => {
    const one = new Execution("cell", {} as never);
    one.fail = () => {};
    interrupts.watch(one, asked);
    return one.interruption?.name;
  };
  assert.deepEqual(
    [watched(5), watched(), watched(4), watched(0)],
    [...[undefined, undefined], ...["KeyboardInterrupt", "KeyboardInterrupt"]],
  );
  assert.equal(Atomics.load(signals, slot.heard), 5);
});

test("a cell has the time that it is given, and no cell after it", (t) => {
  const { interrupts, failed, stop, cell } = running(t);
  interrupts.allow(2);
  t.mock.timers.tick(1999);
  interrupts.expire();
  assert.deepEqual([interrupts.isOverdue(), failed], [false, []]);
  t.mock.timers.tick(1);
  assert.deepEqual([failed, stop()], [["the cell took longer than 2 s"], 1]);
  assert.equal(interrupts.isOverdue(), false, "it was told");
  assert.throws(() => currentExecution.run(cell, interrupts.halt), { name: "TimeLimit" });
  const next = new Execution("cell [2]", {} as never);
  next.fail = () => assert.fail("it has no limit");
  interrupts.watch(next);
  t.mock.timers.tick(10_000);
  interrupts.allow(1);
  interrupts.watch(undefined);
  t.mock.timers.tick(10_000);
  assert.equal(interrupts.isOverdue(), false);
});

test("a first interrupt is listened to where a library listens, a second one is not", (t) => {
  const { signals, interrupts } = running(t);
  const own = listenForSigint(() => {});
  Atomics.store(signals, slot.request, 1);
  assert.equal(interrupts.hears(1), "deaf", "the kernel's own listener is none");
  const listener = () => {};
  process.on("SIGINT", listener);
  try {
    assert.equal(interrupts.hears(1), "listening");
    Atomics.store(signals, slot.request, 2);
    assert.equal(interrupts.hears(2), "deaf");
    interrupts.watch(undefined);
    assert.equal(interrupts.hears(3), "deaf", "no cell runs");
  } finally {
    process.off("SIGINT", listener);
    own();
  }
});

test("the end of the part that a signal can end waits for one that is on its way", (t) => {
  const signals = createSignals();
  const { interruptible, signalled, none } = segment;
  Atomics.store(signals, slot.segment, interruptible);
  leaveSegment(signals);
  assert.equal(Atomics.load(signals, slot.segment), none);
  let asked = 0;
  t.mock.method(Date, "now", () => 500 * asked++);
  Atomics.store(signals, slot.segment, signalled);
  leaveSegment(signals);
  assert.equal(asked, 3, "begun at 0, looked at 500 and at 1000");
  assert.equal(Atomics.load(signals, slot.segment), none);
});
