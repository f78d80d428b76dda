import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Stopper } from "../../../../src/kernel/watch/stopper";

const children = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim();

test("the cells' thread is asked before the process it waits for is ended, and told at each attempt", {
  skip: process.platform !== "linux",
}, async () => {
  const stopper = new Stopper();
  stopper.others = children().split(" ").filter(Boolean).map(Number);
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
