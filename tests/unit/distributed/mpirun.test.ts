import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { addonPath } from "../../../src/distributed/addon";
import { installMpi } from "../../../src/engine/install";

/* Real runs over a real MPI on this machine. */

const hasMpi = ["mpirun", "mpicxx"].every((name) => spawnSync(name, ["--version"]).status === 0);
const skip = hasMpi
  ? false
  : "MPI's mpirun and mpicxx are not there (libopenmpi-dev, openmpi-bin): many machines are untested";
const worker = join(__dirname, "worker.js");
const cli = join(__dirname, "..", "..", "..", "src", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "luvit-mpi-"));
const env = {
  ...process.env,
  ...{ OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" },
  ...{ OMPI_MCA_mpi_yield_when_idle: "1", OMPI_MCA_rmaps_base_oversubscribe: "1" },
};

interface Ended {
  status: number | null;
  output: string;
}

interface Job {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** Waits until the job has written so. */
  until(pattern: RegExp): Promise<void>;
}

function job(workers: number, ...args: string[]): Job {
  const child = spawn("mpirun", ["-n", `${workers}`, process.execPath, worker, ...args], { env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const ended = new Promise<Ended>((resolve) => child.on("close", (status) => resolve({ status, output })));
  const until = async (pattern: RegExp) => {
    while (!pattern.test(output)) {
      if (child.exitCode !== null) throw new Error(`it ended before ${pattern}:\n${output}`);
      await sleep(50);
    }
  };
  return { child, ended, until };
}

async function run(workers: number, ...args: string[]): Promise<string> {
  const { status, output } = await job(workers, ...args).ended;
  assert.equal(status, 0, output);
  return output;
}

const hashesIn = (output: string) => [...output.matchAll(/^weights (\w+)/gm)].map(([, hash]) => hash);

/** What all workers have logged, as often as it differs, under names like "loss 3" and "top1 20". */
function numbersIn(output: string): Map<string, Set<string>> {
  const numbers = new Map<string, Set<string>>();
  for (const [, name, value] of output.matchAll(/^(\w+ \d+) (\S+)/gm))
    numbers.set(name, (numbers.get(name) ?? new Set()).add(value));
  return new Map([...numbers].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })));
}

function lossesIn(output: string): Map<number, Set<string>> {
  const ofLoss = [...numbersIn(output)].filter(([name]) => name.startsWith("loss "));
  return new Map(ofLoss.map(([name, values]) => [Number(name.split(" ")[1]), values]));
}

function numbersOf(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

/** Workers that write into this folder: what a job may leave behind. Other jobs may run the same script meanwhile. */
function workersIn(out: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(out) && !line.startsWith("mpirun") ? [pid] : [];
      } catch {
        return [];
      }
    });
}

const enginesOf = (worker: string): string[] =>
  spawnSync("pgrep", ["-P", worker, "-f", "process/main.js"]).stdout.toString().trim().split("\n");
const isRunning = (pid: string): boolean => existsSync(`/proc/${pid}`);

describe("over mpirun", { skip }, () => {
  before(async () => {
    if (!existsSync(addonPath())) await installMpi();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  let pretrained: string | undefined;
  /** What a run of two workers writes that nothing disturbs. */
  const whole = async () => {
    pretrained ??= await run(2, "pretrain", "onnxruntime", "-", "new");
    return pretrained;
  };

  const tasks = {
    ...{ pretrain: [20, 1, 2, 4], finetune: [20, 1, 2], detect: [20, 1, 4] },
    ...{ distill: [3, 1, 2], segment: [3, 1, 2], answer: [3, 1, 2] },
  };
  for (const [task, [steps, ...sizes]] of Object.entries(tasks)) {
    test(`${task}: ${sizes.join(", ")} workers make the same ${steps} steps, replicas equal to the bit`, async () => {
      const weights = new Map<number, Float32Array>();
      let first: Map<string, Set<string>> | undefined;
      for (const workers of sizes) {
        const path = join(folder, `${task}-${workers}.f32`);
        const output = await run(workers, task, "onnxruntime", "-", "new", path);
        if (task === "pretrain" && workers === 2) pretrained = output;
        const hashes = hashesIn(output);
        assert.equal(hashes.length, workers);
        assert.equal(new Set(hashes).size, 1, `${workers} replicas: ${hashes.join(" ")}`);
        assert.equal(lossesIn(output).size, steps);
        const numbers = numbersIn(output);
        first ??= numbers;
        assert.deepEqual([...numbers.keys()], [...first.keys()]);
        for (const [name, all] of numbers) {
          assert.equal(all.size, 1, `${name}: every worker logs one`);
          const [one, other] = [all, first.get(name)!].map((values) => Number([...values][0]));
          assert.ok(Math.abs(one - other) < 1e-4, `${name} with ${workers} workers: ${one}, not ${other}`);
        }
        weights.set(workers, numbersOf(path));
      }
      for (const [workers, numbers] of weights)
        assert.ok(largestDifference(weights.get(1)!, numbers) < 1e-4, `${workers} workers`);
    });
  }

  test("two runs of two workers are the same to the bit", async () => {
    const other = await run(2, "pretrain", "onnxruntime", "-", "new");
    assert.equal(new Set([...hashesIn(await whole()), ...hashesIn(other)]).size, 1);
  });

  test("where one worker's loss is not finite, all end after the same step and say so", async () => {
    const { status, output } = await job(2, "pretrain", "onnxruntime", "-", "new", "nan").ended;
    assert.equal(status, 1, output);
    assert.match(output, /worker \d of 2: .*the loss is no longer finite at step/);
    const steps = [...lossesIn(output).keys()];
    assert.ok(steps.length > 0 && steps.length < 20, `${steps.length} steps`);
  });

  for (const victim of ["worker", "engine"] as const) {
    test(`when a worker's ${victim === "worker" ? "own process" : "engine"} is killed, the job ends, and another number of workers goes on from there`, async () => {
      const out = join(folder, `killed-${victim}`);
      const broken = job(2, "pretrain", "onnxruntime", out, "new");
      await broken.until(/^loss 9 /m);
      const workers = workersIn(out);
      const engines = workers.flatMap(enginesOf);
      assert.deepEqual([workers.length, engines.length], [2, 2]);
      const killed = Date.now();
      process.kill(Number((victim === "worker" ? workers : engines)[0]), "SIGKILL");
      const { status, output } = await broken.ended;
      assert.notEqual(status, 0);
      assert.ok(Date.now() - killed < 60_000, "it does not hang");
      if (victim === "engine") assert.match(output, /engine process .* died: killed by SIGKILL/);
      for (let tries = 0; tries < 300 && (workersIn(out).length > 0 || engines.some(isRunning)); tries++)
        await sleep(100);
      assert.deepEqual(workersIn(out), []);
      assert.deepEqual(engines.filter(isRunning), [], "engines end with their workers");
      const output2 = await run(1, "pretrain", "onnxruntime", out, "resume");
      const steps = [...lossesIn(output2).keys()];
      assert.equal(steps.at(-1), 20);
      assert.ok(steps[0] > 1, "it goes on from a checkpoint");
      const [unbroken, resumed] = [await whole(), output2].map((text) =>
        Number(/^loss 20 (\S+)/m.exec(text)![1]),
      );
      assert.ok(Math.abs(unbroken - resumed) < 1e-3, "the same trajectory");
    });
  }

  test("a step that cannot be shared out evenly is refused, naming the numbers of workers that can", async () => {
    const { status, output } = await job(3, "pretrain", "onnxruntime", "-", "new").ended;
    assert.equal(status, 1);
    assert.match(output, /4 batches .* among 3 workers; 1, 2, 4 can/s);
  });

  test("op by op there are no sums over workers, and it says so", async () => {
    const { status, output } = await job(2, "pretrain", "eager", "-", "new").ended;
    assert.equal(status, 1);
    assert.match(output, /op by op there are no sums over workers/);
  });

  test("the command line says what it runs on once, and SIGTERM to one worker saves and ends them all", async () => {
    const out = join(folder, "stopped");
    const config = join(folder, "run.json");
    const shapes = join(__dirname, "..", "..", "..", "..", "data", "shapes", "train");
    writeFileSync(
      config,
      JSON.stringify({
        ...{ model: { encoder: "toy", decoder: "decoderToy" }, data: { train: { path: shapes, take: 128 } } },
        ...{ recipe: "pretrainToy", options: { epochs: 400, batchSize: 8, accumulate: 2 } },
        ...{ engine: { engine: "onnxruntime", threads: 1 }, out },
      }),
    );
    const args = ["-n", "2", process.execPath, cli, "pretrain", "--config", config];
    const child = spawn("mpirun", args, { env });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
    const ended = new Promise((resolve) => child.on("close", resolve));
    while (!existsSync(join(out, "metrics.jsonl"))) await sleep(100);
    await sleep(500);
    const pids = spawnSync("pgrep", ["-f", `^${process.execPath} ${cli} pretrain --config ${config}`]);
    process.kill(Number(pids.stdout.toString().trim().split("\n").at(-1)), "SIGTERM");
    await ended;
    assert.equal(output.match(/worker 1 of 2 \(.*MPI.*\)/g)?.length, 1, output);
    assert.ok(!/worker 2 of 2 \(/.test(output));
    const saved = readdirSync(out).filter((name) => name.startsWith("checkpoint-"));
    const logged = readFileSync(join(out, "metrics.jsonl"), "utf8").trim().split("\n").length;
    assert.ok(
      saved.includes(`checkpoint-${String(logged).padStart(6, "0")}`),
      `${saved} after ${logged} steps`,
    );
  });
});
