import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { engineProcesses } from "../../../src/engine";
import { groupFiles, memoryLimit, memoryOf, oomKills } from "../../../src/engine/process/memory";
import { growingProduct, openInProcess, stopProcessesAfterwards } from "./processSupport";
import { openGraph, withOnnxRuntime } from "./support";

stopProcessesAfterwards();
setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MiB = 2 ** 20;
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];
const withProc = memoryOf(process.pid) ? false : "needs /proc";
const skip = withOnnxRuntime.skip || withProc;

/** What this process holds on to, in MiB. */
function held(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / MiB;
}

test("500 runs take no more memory than 50, on either side", { skip }, async () => {
  const x = Float32Array.of(0, 0, 0, 0);
  const executor = await openGraph(growingProduct(), { w: x }, { threads: 1, open: openInProcess });
  const far: number[] = [];
  let near = Number.NaN;
  for (let run = 1; run <= 500; run++) {
    await executor.run("step", { x });
    far.push(memoryOf(engineProcesses()[0].pid)!.resident / MiB);
    if (run === 50) near = held();
  }
  const nearGrowth = held() - near;
  const farGrowth = median(far.slice(450)) - median(far.slice(50, 100));
  assert.ok(nearGrowth < 1, `this process holds ${nearGrowth} MiB more`);
  assert.ok(farGrowth < 16, `the engine process grew by ${farGrowth} MiB`);
  await executor.dispose();
});

test("memory of a process is what it has and what it had at most, not its address space", {
  skip: withProc,
}, () => {
  const [least, most] = [process.memoryUsage.rss(), process.resourceUsage().maxRSS * 1024];
  const { resident, peak } = memoryOf(process.pid)!;
  assert.ok(Math.abs(resident - least) < 0.1 * least + 8 * MiB, `${resident} for ${least}`);
  assert.ok(peak >= resident && Math.abs(peak - most) < 0.1 * most + 8 * MiB, `${peak} for ${most}`);
  assert.equal(memoryOf(2 ** 30), undefined, "there is no such process");
});

test("deaths for want of memory are counted in the process's own control group, then at the container's root", () => {
  const root = ["/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"];
  assert.deepEqual(groupFiles("0::/a/b\n"), ["/sys/fs/cgroup/a/b/memory.events", ...root]);
  assert.deepEqual(groupFiles("5:cpu,cpuacct:/c\n4:hugetlb,memory:/d\n0:name=systemd:/e\n"), [
    "/sys/fs/cgroup/memory/d/memory.oom_control",
    ...root,
  ]);
  assert.deepEqual(groupFiles("7:memory:/d\n1::/x\n0::/f\n"), [
    "/sys/fs/cgroup/memory/d/memory.oom_control",
    "/sys/fs/cgroup/f/memory.events",
    ...root,
  ]);
  assert.deepEqual(groupFiles(""), root);
});

test("deaths for want of memory are those that the kernel has counted; memory is at most what the machine has", {
  skip: withProc,
}, () => {
  const count = (file: string) => {
    try {
      const line = readFileSync(file, "utf8")
        .split("\n")
        .find((one) => one.startsWith("oom_kill "));
      return line && Number(line.split(" ")[1]);
    } catch {
      return undefined;
    }
  };
  const files = groupFiles(readFileSync("/proc/self/cgroup", "utf8"));
  const counts = files.map(count).filter((one) => one !== undefined);
  assert.deepEqual(oomKills(), { group: counts[0], machine: count("/proc/vmstat") });
  assert.ok(memoryLimit() > 2 ** 20 && memoryLimit() <= totalmem());
});
