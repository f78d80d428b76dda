import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { type Engine, engineMemory, engineProcesses, stopEngineProcesses } from "../../../src/engine";
import { isLuvitError } from "../nn/support";
import { temporaryFolder } from "../train/support";
import {
  eventually,
  growingProduct,
  isRunning,
  largeState,
  longProduct,
  openInProcess,
  startScript,
  stopProcessesAfterwards,
} from "./processSupport";
import { GraphWriter, openGraph, withOnnxRuntime } from "./support";

stopProcessesAfterwards();
const SIZE = 1024;
const linuxOnly = existsSync("/proc/self/status") ? withOnnxRuntime : { skip: "needs /proc" };

async function openLong(count: number): Promise<{ executor: Engine; run(): Promise<unknown> }> {
  const w = new Float32Array(SIZE * SIZE);
  const executor = await openGraph(longProduct(SIZE, count), { w }, { threads: 1, open: openInProcess });
  return { executor, run: () => executor.run("step", { x: w }) };
}

const openTiny = () =>
  openGraph(growingProduct(), { w: Float32Array.of(1, 2, 3, 4) }, { threads: 1, open: openInProcess });

test(
  "kill -9 during a run is reported with the reason, and a fresh executor works",
  withOnnxRuntime,
  async () => {
    const [{ executor, run }, other] = [await openLong(2000), await openTiny()];
    const [{ pid }] = engineProcesses();
    const running = run();
    const waiting = other.run("step", { x: new Float32Array(4) });
    setTimeout(() => process.kill(pid, "SIGKILL"), 400);
    const died = isLuvitError("engine-died", `pid ${pid}`, "SIGKILL", 'run "step"', "memory");
    await Promise.all([assert.rejects(running, died), assert.rejects(waiting, died)]);
    assert.deepEqual(engineProcesses(), []);
    await assert.rejects(run(), isLuvitError("engine-died", "SIGKILL"));
    await assert.rejects(other.readState(), isLuvitError("engine-died", "SIGKILL"));
    await Promise.all([executor.dispose(), other.dispose()]);
    const fresh = await openTiny();
    assert.notEqual(engineProcesses()[0].pid, pid);
    assert.deepEqual(
      (await fresh.run("step", { x: Float32Array.of(1, 1, 1, 1) })).y,
      Float32Array.of(1, 2, 3, 4),
    );
  },
);

test("a process that has died takes no memory any more, before anybody was told", linuxOnly, async () => {
  const engine = await openTiny();
  const [{ pid }] = engineProcesses();
  assert.ok(engineMemory() > 2 ** 20);
  process.kill(pid, "SIGKILL");
  while (!/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))); // it is reaped when this turn has ended
  assert.equal(engineProcesses().length, 1);
  assert.equal(engineMemory(), 0);
  await eventually(() => engineProcesses().length === 0);
  await engine.dispose();
});

test("stopping rejects what is not finished", withOnnxRuntime, async () => {
  const { run } = await openLong(2000);
  const [{ pid }] = engineProcesses();
  const running = assert.rejects(run(), isLuvitError("engine", "stopped"));
  await stopEngineProcesses();
  await running;
  assert.deepEqual(engineProcesses(), []);
  assert.ok(!isRunning(pid));
});

for (const mode of ["idle", "busy"]) {
  test(`the engine process goes with its parent, killed while ${mode}`, withOnnxRuntime, async () => {
    const { child, line } = startScript(mode);
    const pid = Number(await line());
    assert.ok(isRunning(pid));
    child.kill("SIGKILL");
    assert.ok(await eventually(() => !isRunning(pid), 3000), `process ${pid} is still there`);
  });
}

test("a Ctrl-C for the whole process group is left to the parent", withOnnxRuntime, async () => {
  const { child, line } = startScript("interrupted");
  const pid = Number(await line());
  for (let times = 0; times < 2; times++) {
    process.kill(-child.pid!, "SIGINT");
    assert.equal(await line(), "4");
  }
  assert.ok(isRunning(pid));
  child.kill("SIGKILL");
  assert.ok(await eventually(() => !isRunning(pid), 3000), `process ${pid} is still there`);
});

/** The address space of a running process, which nothing it asks for can exceed from now on. */
function limitAddressSpace(pid: number, moreBytes: number): boolean {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[0]);
  const limit = pages * 4096 + moreBytes;
  return spawnSync("prlimit", [`--pid=${pid}`, `--as=${limit}`]).status === 0;
}

const canLimit = spawnSync("prlimit", ["--version"]).status === 0 && existsSync("/proc/self/statm");
const withLimits = { skip: withOnnxRuntime.skip || (canLimit ? false : "needs prlimit") };

test("what there is no memory for is reported as such, and the session goes on", withLimits, async (t) => {
  await stopEngineProcesses();
  const tiny = await openTiny();
  const [{ pid }] = engineProcesses();
  assert.ok(limitAddressSpace(pid, 200 * 2 ** 20));
  const state = largeState(2, 300);
  await t.test("by the engine", async () => {
    await assert.rejects(openInProcess({ step: { graph: state } }), isLuvitError("engine", "allocat"));
    const x = Float32Array.of(1, 1, 1, 1);
    assert.deepEqual((await tiny.run("step", { x })).y, Float32Array.of(1, 2, 3, 4));
  });
  await t.test("by the process that takes the arrays", async () => {
    const large = { w: new Float32Array(100 * 2 ** 20) };
    await assert.rejects(
      tiny.writeState(large),
      isLuvitError("engine-died", "exited with code 1, out of memory", "write state"),
    );
  });
  const fresh = await openTiny();
  assert.deepEqual((await fresh.readState()).w, Float32Array.of(1, 2, 3, 4));
});

test("a JavaScript heap that is full is told from other crashes", withOnnxRuntime, async () => {
  await stopEngineProcesses();
  const { NODE_OPTIONS } = process.env;
  process.env.NODE_OPTIONS = "--max-old-space-size=12";
  const g = new GraphWriter();
  let x = g.input("x", [1]);
  for (let i = 0; i < 60_000; i++) [x] = g.node("Neg", { x }, [{ shape: [1] }]);
  g.output("y", x);
  const opening = openInProcess({ step: { graph: g.finish() } });
  process.env.NODE_OPTIONS = NODE_OPTIONS ?? "";
  await assert.rejects(opening, isLuvitError("engine-died", "SIGABRT", "out of memory", "heap"));
});

test("of a process that wrote much the last of it is told when it dies", withOnnxRuntime, async () => {
  await stopEngineProcesses();
  const { NODE_OPTIONS } = process.env;
  const script = join(temporaryFolder(), "talkative.cjs");
  mkdirSync(dirname(script), { recursive: true });
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i}`).join("\n");
  const written = JSON.stringify(`${lines}\nthe reason\n`);
  writeFileSync(script, `require("node:fs").writeSync(2, ${written}); process.exit(3);`);
  process.env.NODE_OPTIONS = `--require ${script}`;
  const opening = openTiny();
  process.env.NODE_OPTIONS = NODE_OPTIONS ?? "";
  await assert.rejects(opening, (error: Error) => {
    assert.ok(isLuvitError("engine-died", "exited with code 3", "line 2999\nthe reason")(error));
    assert.ok(!error.message.includes("line 10\n"));
    return true;
  });
});

const groups = "/sys/fs/cgroup/memory/luvit-tests";

/** A control group with so much memory, where this user may make one (version 1). */
function makeMemoryGroup(bytes: number): boolean {
  try {
    mkdirSync(groups, { recursive: true });
    writeFileSync(join(groups, "memory.limit_in_bytes"), `${bytes}`);
    return true;
  } catch {
    return false;
  }
}

test("the kernel's out-of-memory killer is recognized", async (t) => {
  if (withOnnxRuntime.skip || !makeMemoryGroup(500 * 2 ** 20))
    return t.skip("needs a control group of its own");
  const { child, line } = startScript("hungry");
  assert.equal(await line(), "ready");
  writeFileSync(join(groups, "cgroup.procs"), `${child.pid}`);
  child.stdin!.write("\n");
  const report = await line();
  child.kill("SIGKILL");
  assert.match(report, /SIGKILL, by the kernel's out-of-memory killer.*It was to write state.*GiB/);
  await eventually(() => readFileSync(join(groups, "cgroup.procs"), "utf8") === "");
  rmdirSync(groups);
});
