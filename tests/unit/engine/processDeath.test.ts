import assert from "node:assert/strict";
import { test } from "node:test";
import { type Executor, engineProcesses, stopEngineProcesses } from "../../../src/engine";
import { isLuvitError } from "../nn/support";
import {
  eventually,
  growingProduct,
  isRunning,
  longProduct,
  openInProcess,
  startScript,
  stopProcessesAfterwards,
} from "./processSupport";
import { openGraph, withOnnxRuntime } from "./support";

stopProcessesAfterwards();
const SIZE = 1024;

async function openLong(count: number): Promise<{ executor: Executor; run(): Promise<unknown> }> {
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
