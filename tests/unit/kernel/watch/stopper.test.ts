import assert from "node:assert/strict";
import childProcess, { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { type Order, Stopper } from "../../../../src/kernel/watch/stopper";
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

/** Follows a stop on a clock that the test moves, by so many milliseconds. */
async function followed(
  t: TestContext,
  stopper: Stopper,
  order: Pick<Order, "hearing"> & Partial<Order>,
  milliseconds: number,
): Promise<{ times: number[]; asked: number[]; told: string[] }> {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const [times, asked, told]: [number[], number[], string[]] = [[], [], []];
  stopper.stop({
    isOpen: () => true,
    remind: () => void times.push(Date.now()),
    tell: (why) => void told.push(`${why} ${Date.now()}`),
    ...order,
    hearing: () => {
      asked.push(Date.now());
      return order.hearing();
    },
  });
  for (let now = 0; now < milliseconds; now += 200) {
    t.mock.timers.tick(200);
    await new Promise((done) => setImmediate(done));
  }
  t.mock.timers.reset();
  return { times, asked, told };
}

test("an order is given after 0.6 s and then every 0.4 s, and why nothing happens is told once, after 5 s", async (t) => {
  const stopper = new Stopper(createSignals());
  const expected = Array.from({ length: 18 }, (_, attempt) => 600 + 400 * attempt);
  const listening = await followed(t, stopper, { hearing: async () => "listening" }, 7400);
  assert.deepEqual(listening, { times: expected, asked: expected, told: ["listening 5400"] });
  const native = await followed(t, stopper, { hearing: () => new Promise(() => {}) }, 7400);
  assert.deepEqual(
    native,
    { times: expected, asked: [600], told: ["native 5400"] },
    "asked until it answers",
  );
  const failing = await followed(t, stopper, { hearing: () => Promise.reject(new Error("gone")) }, 7400);
  assert.deepEqual(failing, { times: expected, asked: expected, told: [] });
  const deaf = await followed(t, stopper, { hearing: async () => "deaf" }, 7400);
  assert.deepEqual(deaf.told, []);
});

test("an order that was followed is given no more", async (t) => {
  let open = 3;
  const isOpen = () => open-- > 0;
  const { times } = await followed(
    t,
    new Stopper(createSignals()),
    { isOpen, hearing: async () => "heard" },
    4000,
  );
  assert.deepEqual(times, [600, 1000, 1400]);
});

test("a process that does not hear is killed after 2 s, with what it has started", { skip }, async (t) => {
  const signals = createSignals();
  const stopper = new Stopper(signals);
  stopper.wait = { number: 7, others: children() };
  Atomics.store(signals, slot.wait, 7);
  const child = spawn("sh", ["-c", "trap '' INT; sleep 100 & echo $!; wait; sleep 100"]);
  const [printed] = (await once(child.stdout, "data")) as [Buffer];
  const ended = once(child, "exit");
  const hearing = async () => "heard" as const;
  await followed(t, stopper, { isOpen: () => Date.now() < 2000, hearing }, 2400);
  assert.equal(child.signalCode, null, "it was interrupted only");
  await followed(t, stopper, { hearing }, 2400);
  assert.deepEqual(await ended, [null, "SIGKILL"]);
  const lives = () => {
    try {
      return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${Number(printed)}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  while (lives()) await new Promise((done) => setTimeout(done, 5));
});

test("while a thread waits its number is there to be read, and afterwards its functions are Node's own again", {
  skip,
}, () => {
  const signals = createSignals();
  const original = { ...childProcess };
  const waits: Wait[] = [];
  const undo = tellWaits(signals, (wait) => {
    assert.equal(Atomics.load(signals, slot.wait), 0, "told before it waits");
    waits.push(wait);
  });
  let during = 0;
  const options = {
    get cwd(): string {
      during = Atomics.load(signals, slot.wait);
      return "/";
    },
  };
  try {
    for (const name of ["spawnSync", "execFileSync", "execSync"] as const) {
      during = 0;
      (childProcess[name] as (...given: unknown[]) => unknown)(
        "true",
        ...(name === "execSync" ? [] : [[]]),
        options,
      );
      assert.equal(during, waits.at(-1)!.number, name);
      assert.equal(Atomics.load(signals, slot.wait), 0, name);
    }
  } finally {
    undo();
  }
  assert.equal(waits.length, 3);
  for (const name of ["spawnSync", "execFileSync", "execSync"] as const)
    assert.equal(childProcess[name], original[name]);
});
