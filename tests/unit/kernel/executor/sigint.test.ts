import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { afterTermination, runInterruptibly } from "../../../../src/kernel/executor/run";
import { createSignals, segment, slot } from "../../../../src/kernel/signals";
import { Cells } from "../cells";

/* Signals of the system that reach a cell before its first `await`. */

let cells: Cells;
before(() => {
  cells = new Cells();
});
after(() => cells.close());

test("a SIGINT ends a loop before the first await as the stop button does, and what was declared stays", async () => {
  for (const rest of ["for (;;);", "for (;;);\nawait null;"]) {
    const { outcome } = await cells.run(`let kept = 5;\nprocess.kill(process.pid, "SIGINT");\n${rest}`);
    assert.ok(outcome.status === "error", rest);
    const { ename, evalue, interrupted } = outcome;
    assert.deepEqual(
      [ename, evalue, interrupted],
      ["KeyboardInterrupt", "the cell was interrupted", true],
      rest,
    );
    assert.equal((await cells.run("kept")).value, "5");
  }
});

test("an error of the cell's own that looks like one of a signal's end is none of the stop button's", async () => {
  const { outcome } = await cells.run("throw Object.assign(new Error('own'), { code: 'ERR_OTHER' });");
  assert.deepEqual(outcome.status === "error" && [outcome.ename, outcome.interrupted], ["Error", false]);
});

test("listeners of SIGINT stay in their order when code is stopped, those among them that it has added", (t) => {
  const all = process.rawListeners("SIGINT") as NodeJS.SignalsListener[];
  t.after(() => {
    process.removeAllListeners("SIGINT");
    for (const listener of all) process.on("SIGINT", listener);
  });
  const [first, second, added, later] = [() => {}, () => {}, () => {}, () => {}];
  for (const listener of [first, second]) process.on("SIGINT", listener);
  const signals = createSignals();
  let within: unknown[] = [];
  let state = -1;
  runInterruptibly(signals, () => {
    process.on("SIGINT", added);
    process.on("SIGINT", later);
    afterTermination(signals); // as if the code above had been stopped from another thread
    within = process.rawListeners("SIGINT");
    state = Atomics.load(signals, slot.segment);
    process.removeAllListeners("SIGINT");
    afterTermination(signals);
    assert.equal(process.listenerCount("SIGINT"), 0, "once");
  });
  assert.deepEqual(within, [...all, first, second, added, later]);
  assert.equal(state, segment.none);
});
