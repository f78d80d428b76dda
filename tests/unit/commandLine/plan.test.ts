import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { packageRoot } from "../../../src/core/packageRoot";
import { startBackend } from "../../../src/core/tf";
import { create, decoderToy } from "../../../src/models/mae";
import { toy } from "../../../src/models/vit";
import { temporaryFolder } from "../train/support";

const folder = temporaryFolder();
const out = join(folder, "run");

function configured(name: string, options: object): string {
  const file = join(folder, `${name}.json`);
  const path = join(packageRoot(), "data", "shapes", "train");
  const config = {
    ...{ model: { encoder: "toy", decoder: "decoderToy" }, data: { train: { path, take: 96 } } },
    ...{ recipe: "pretrainToy", options: { epochs: 7, batchSize: 8, ...options } },
    ...{ engine: { engine: "onnxruntime", threads: 1 }, out },
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function plan(...words: string[]): Promise<{ status: number; said: string }> {
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main(["plan", ...words], { print: hear, complain: hear });
  return { status, said: said.join("\n") };
}

const numberIn = (said: string, pattern: RegExp) => Number(pattern.exec(said)?.[1]?.replaceAll(",", ""));

before(() => startBackend());

test("a plan says steps, images, bytes and times that follow from the configuration and the measurement", async () => {
  const trained = create({ encoder: toy, decoder: decoderToy }).counts().trainable;
  for (const [workers, sums] of [
    [1, "float32"],
    [4, "float32"],
    [2, "bfloat16"],
  ] as const) {
    const file = configured(`plan-${workers}`, { accumulate: 4, sums });
    const words = ["--config", file, "--workers", `${workers}`, "--network", "0.001", "--seconds", "1"];
    const { status, said } = await plan(...words);
    assert.equal(status, 0, said);
    // 96 images are 3 steps of 4 batches of 8.
    assert.match(said, /^21 steps of 32 images \(672 in all\)$/m);
    assert.match(said, new RegExp(`each of ${workers} workers: ${4 / workers} of 4 batches a step`));
    const bytes = (trained * (sums === "float32" ? 4 : 2) * 2 * (workers - 1)) / workers;
    assert.equal(numberIn(said, /step, (\d+) MB sent/), Math.round(bytes / 1e6));
    const batch = numberIn(said, /([\d.]+) s a batch of 8/);
    const [batches, update, sum] = [/\(([\d.]+) batches/, /, ([\d.]+) AdamW/, /, ([\d.]+) sum/].map(
      (pattern) => numberIn(said, pattern),
    );
    const near = (given: number, wanted: number) =>
      assert.ok(Math.abs(given - wanted) <= 0.011 * (1 + 4 / workers), `${given}, not ${wanted}\n${said}`);
    near(batches, (4 / workers) * batch);
    near(update, numberIn(said, /, ([\d.]+) s a step beside/));
    near(sum, bytes / 125_000); // a megabit per second
    near(numberIn(said, /expected: ([\d.]+) s a step/), batches + update + sum);
    if (workers > 1) assert.match(said, /limited by the network/);
  }
  assert.ok(!existsSync(out), "nothing is written");
});

test("a step that so many workers cannot share is refused, naming the numbers that can", async () => {
  const { status, said } = await plan("--config", configured("odd", { accumulate: 4 }), "--workers", "3");
  assert.equal(status, 1);
  assert.match(said, /accumulate is 4; 1, 2, 4 workers can share that, not 3/);
});

test("plan is called without mpirun", async () => {
  const [rank, size] = ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"];
  Object.assign(process.env, { [rank]: "0", [size]: "2" });
  try {
    const { status, said } = await plan("--config", configured("mpi", { accumulate: 4 }), "--workers", "2");
    assert.equal(status, 1);
    assert.match(said, /without mpirun/);
  } finally {
    delete process.env[rank];
    delete process.env[size];
  }
});
