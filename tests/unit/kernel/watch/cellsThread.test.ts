import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createSignals } from "../../../../src/kernel/signals";
import { letWatch } from "../../../../src/kernel/watch/watched";

/** Milliseconds by which the asking thread is late at everything, as on a machine with much else to do. */
const late = 60;

const asker = `
const { parentPort, workerData } = require("node:worker_threads");
const { setInterval: original } = globalThis;
globalThis.setInterval = (run) => original(run, ${late});
const { CellsThread } = require(workerData.path);
const cells = new CellsThread(new Int32Array(workerData.signals));
parentPort.on("message", () => setTimeout(async () => parentPort.postMessage(await cells.ask("isOverdue")), 50));
`;

let worker: Worker;
let unwatch: () => void;
let inCode = false;
let askedAt = 0;

before(() => {
  const signals = createSignals();
  const isOverdue = () => {
    askedAt ||= Date.now();
    return true;
  };
  unwatch = letWatch({ isOverdue, isInCode: () => inCode, hears: () => "heard" }, signals);
  const path = join(__dirname, "../../../../src/kernel/watch/cellsThread.js");
  worker = new Worker(asker, { eval: true, workerData: { signals: signals.buffer, path } });
});
after(async () => {
  unwatch();
  await worker.terminate();
});
beforeEach(() => {
  askedAt = 0;
});

const answer = () => new Promise<unknown>((resolve) => worker.once("message", resolve));

/** Computes until the question is late by so many milliseconds; the code ends after a few, what follows it later. */
function compute(reached: string[]): void {
  const until = (milliseconds: number) => {
    while (askedAt === 0 || Date.now() < askedAt + milliseconds);
  };
  inCode = true;
  until(5);
  inCode = false;
  reached.push("end of the code");
  until(4 * late);
  reached.push("after the code");
}

test("code that is to be stopped does not go on until it is, however late the request comes", async () => {
  const reached: string[] = [];
  for (const defer of [setImmediate, (run: () => void) => setTimeout(run, 1), process.nextTick]) {
    askedAt = 0;
    const answered = answer();
    worker.postMessage("ask");
    defer(() => compute(reached));
    assert.equal(await answered, true);
    assert.deepEqual(reached, []);
  }
  inCode = false;
});

test("what comes after the code is not stopped", async () => {
  const reached: string[] = [];
  const answered = answer();
  worker.postMessage("ask");
  inCode = false;
  setImmediate(() => {
    while (askedAt === 0 || Date.now() < askedAt + 4 * late);
    reached.push("its end");
  });
  assert.equal(await answered, false);
  assert.deepEqual(reached, ["its end"]);
});

test("a thread that waits for events is not stopped, nor is the next event", async () => {
  inCode = true;
  const answered = answer();
  worker.postMessage("ask");
  assert.equal(await answered, false);
  let sum = 0;
  setTimeout(() => {
    for (let i = 0; i < 1e6; i++) sum += i;
  }, 1);
  await sleep(2 * late);
  assert.equal(sum, 499999500000);
  inCode = false;
});
