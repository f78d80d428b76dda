import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { ArraysByName } from "../../../src/engine";
import {
  largeState,
  longProduct,
  openInProcess,
  startScript,
  stopProcessesAfterwards,
} from "./processSupport";
import { openGraph, withOnnxRuntime } from "./support";

stopProcessesAfterwards();

/** The longest that anything else in a notebook's process may have to wait, of the time that the work takes. */
const MOST_SHARE = 1 / 8;
const ATTEMPTS = 5;

/** How long this thread has been ready to run while others had the cores, in ms; 0 where the system does not tell. */
function waitedForCore(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** How long `body` takes, and the longest gap between two turns of this process's event loop meanwhile, less waits for
 * a core; both in ms. */
async function longestGap(body: () => Promise<unknown>): Promise<[took: number, gap: number]> {
  const started = performance.now();
  let [last, waited, longest] = [performance.now(), waitedForCore(), 0];
  const look = () => {
    const [now, wait] = [performance.now(), waitedForCore()];
    longest = Math.max(longest, now - last - (wait - waited));
    [last, waited] = [now, wait];
  };
  const timer = setInterval(look, 1);
  await body();
  look();
  clearInterval(timer);
  return [performance.now() - started, longest];
}

/** Other work can stall the whole machine: the best of a few attempts counts, beside what an idle process saw. */
async function assertNeverBlocked(body: () => Promise<unknown>): Promise<void> {
  const idle = startScript("gaps");
  const attempts: string[] = [];
  try {
    while (attempts.length < ATTEMPTS) {
      await idle.ask();
      const [took, gap] = await longestGap(body);
      attempts.push(`${gap.toFixed(1)} of ${took.toFixed()} ms (an idle process: ${await idle.ask()} ms)`);
      if (gap <= MOST_SHARE * took) return;
    }
  } finally {
    idle.child.kill("SIGKILL");
  }
  assert.fail(`the event loop was blocked for more than ${MOST_SHARE} of the time: ${attempts.join(", ")}`);
}

test(
  "a step of seconds on all cores never blocks the process that asked for it",
  withOnnxRuntime,
  async () => {
    const size = 1024;
    const w = new Float32Array(size * size).fill(1 / size);
    const executor = await openGraph(longProduct(size, 200), { w }, { open: openInProcess });
    await assertNeverBlocked(() => executor.run("step", { x: w }));
    await executor.dispose();
  },
);

test("400 MB of state on their way in and out never block it either", withOnnxRuntime, async () => {
  const [count, megabytes] = [4, 100];
  const values: ArraysByName = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`large.${i}`, new Float32Array(megabytes * 2 ** 18).fill(i)]),
  );
  const executor = await openGraph(largeState(count, megabytes), values, { open: openInProcess });
  await assertNeverBlocked(async () => {
    await executor.writeState(values);
    const state = await executor.readState();
    assert.equal(state["large.3"].at(-1), 3);
  });
  await executor.dispose();
});
