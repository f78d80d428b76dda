import assert from "node:assert/strict";
import childProcess, { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { Stopper } from "../../../../src/kernel/watch/stopper";
import { endWaitedFor, tellWaits, type Wait } from "../../../../src/kernel/watch/syncChildren";

const skip = process.platform !== "linux";
const children = () =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number);

test("the cells' thread is asked before the process it waits for is ended, and told at each attempt", {
  skip,
}, async () => {
  const signals = createSignals();
  const stopper = new Stopper(signals);
  stopper.wait = { number: 7, others: children() };
  Atomics.store(signals, slot.wait, 7);
  const child = spawn("sleep", ["100"]);
  await once(child, "spawn");
  const seen: string[] = [];
  const state = () => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1];
  const pending = () => /^ShdPnd:\s+0*$/m.test(readFileSync(`/proc/${child.pid}/status`, "utf8"));
  let attempts = 0;
  stopper.stop({
    isOpen: () => child.signalCode === null || attempts < 2,
    remind: () => void attempts++,
    hearing: async () => {
      if (child.signalCode === null) seen.push(`${state()} ${pending()}`);
      return "heard";
    },
    tell: () => assert.fail("nothing takes long"),
  });
  const alive = setInterval(() => {}, 100); // the stopper's own timers hold no process
  const [, signal] = (await once(child, "exit")) as [unknown, string];
  assert.equal(signal, "SIGINT");
  assert.deepEqual(seen, ["S true"]);
  while (attempts < 2) await new Promise((done) => setTimeout(done, 20));
  clearInterval(alive);
});

test("a thread tells which of its children it does not wait for, and by a number how long it waits", {
  skip,
}, async () => {
  const signals = createSignals();
  const waits: Wait[] = [];
  const others = children();
  const undo = tellWaits(signals, (wait) => waits.push(wait));
  try {
    assert.equal(childProcess.spawnSync(process.execPath, ["-e", "process.exit(3)"]).status, 3);
    assert.equal(childProcess.execFileSync("echo", ["on"], { encoding: "utf8" }), "on\n");
    assert.throws(() => childProcess.execSync("exit 4", { stdio: "ignore" }), { status: 4 });
  } finally {
    undo();
  }
  childProcess.execSync("true");
  assert.equal(new Set(waits.map(({ number }) => number)).size, 3);
  assert.ok(waits.every((wait) => wait.number > 0 && wait.others.join() === others.join()));
  assert.equal(Atomics.load(signals, slot.wait), 0);
});

test("what was started after the waiting was over is left alone, however late a stop comes", {
  skip,
}, async () => {
  const signals = createSignals();
  const wait = { number: 3, others: children() };
  const child = spawn("sleep", ["100"]);
  await once(child, "spawn");
  const ended = once(child, "exit");
  for (const now of [0, 2, 4]) {
    Atomics.store(signals, slot.wait, now);
    endWaitedFor(signals, wait, "SIGKILL");
  }
  Atomics.store(signals, slot.wait, 3);
  endWaitedFor(signals, { ...wait, others: children() }, "SIGKILL");
  endWaitedFor(signals, wait, "SIGINT");
  assert.deepEqual(await ended, [null, "SIGINT"]);
});
