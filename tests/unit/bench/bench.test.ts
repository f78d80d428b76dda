import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { AllreduceResult } from "../../../bench/allreduce";
import type { AskResult } from "../../../bench/ask";
import type { CheckpointResult } from "../../../bench/checkpoint";
import type { CompileResult } from "../../../bench/compile";
import type { noFigures } from "../../../bench/core/heading";
import type { StepResult } from "../../../bench/core/result";
import type { InsideResult } from "../../../bench/inside";
import type { JpegResult } from "../../../bench/jpeg";
import type { KernelResult } from "../../../bench/kernel";
import type { LoadBlockResult } from "../../../bench/loadBlock";
import type { LoaderResult } from "../../../bench/loader";
import { pretraining } from "../../../bench/pretrainStep";
import type { TwoWorkersResult } from "../../../bench/twoWorkers";
import { addonPath } from "../../../src/distributed/addon";

/** Runs a bench at toy size and gives back what `--json` wrote. */
function bench<Result>(...args: string[]): Result {
  const folder = mkdtempSync(join(tmpdir(), "luvit-bench-test-"));
  try {
    const json = join(folder, "result.json");
    const main = join(__dirname, "..", "..", "..", "bench", "main.js");
    const all = [main, "--preset", "toy", "--steps", "3", "--warmup", "1", "--json", json, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^machine {3}.+, \d+ cores/m);
    return JSON.parse(readFileSync(json, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function expectFigures(result: StepResult): void {
  const { median, min, max } = result.ms_per_image;
  assert.ok(0 < min && min <= median && median <= max);
  assert.ok(Math.abs(result.images_per_s - 1000 / median) < 1e-6 * result.images_per_s);
  assert.ok(result.gflops > 0 && result.matmul_gflops > 0);
  const gflops = result.gflop_per_image * result.images_per_s;
  assert.ok(Math.abs(result.gflops - gflops) < 1e-6 * gflops);
  assert.ok(result.peak_rss_mb > 50 && result.peak_rss_mb < 4000, `${result.peak_rss_mb} MB`);
}

test("pretrain-step: the loss of normalized pixels begins above 1 and falls", () => {
  const result = bench<StepResult>("pretrain-step", "--batch", "2");
  const { name, engine, precision, preset, batch, steps } = result;
  assert.deepEqual(
    { name, engine, precision, preset, batch, steps },
    { name: "pretrain-step", engine: "onnxruntime", precision: "float32", preset: "toy", batch: 2, steps: 3 },
  );
  expectFigures(result);
  assert.deepEqual(result.shapes.images, [2, 3, 64, 64]);
  assert.ok(result.first_result > 0.9 && result.first_result < 2);
  assert.ok(result.last_result < result.first_result);
  assert.deepEqual([result.peers, result.ratio, result.rss_growth_mb], [[], null, null]);
  // Images go as bytes; rows to keep and to restore, mask and schedule in four each; the loss comes back.
  const moved = 2 * 3 * 64 * 64 + 4 * (32 + 128 + 128 + 3 + 1);
  assert.deepEqual(result.moved_mb_per_step, { process: moved / 1e6, device: 0 });
});

test("pretrain-step runs op by op as well, to the same loss", () => {
  const [compiled, eager] = ["onnxruntime", "eager"].map((engine) =>
    bench<StepResult>("pretrain-step", "--batch", "1", "--engine", engine),
  );
  assert.equal(eager.engine, "eager");
  assert.ok(Math.abs(compiled.last_result - eager.last_result) < 1e-4);
});

test("entropy: below ln T nats, and the same at every run", () => {
  const result = bench<StepResult>("entropy", "--batch", "2");
  expectFigures(result);
  assert.ok(result.first_result > 0.8 * Math.log(65) && result.first_result <= Math.log(65));
  assert.equal(result.last_result, result.first_result);
});

test("relevance and ablate-heads: a time for each way of pooling", () => {
  for (const name of ["relevance", "ablate-heads"]) {
    const { pooling } = bench<InsideResult>(name);
    // One of them is a difference of two times, which other work on the machine can turn around.
    for (const { first_s, s, processor_s } of [pooling.cls, pooling.mean])
      assert.ok(first_s > 0 && Number.isFinite(s.median) && Number.isFinite(processor_s.median), name);
  }
});

test("compile: the passes leave fewer nodes than were traced", () => {
  const result = bench<CompileResult & typeof noFigures>("compile");
  assert.ok(result.nodes > 100 && result.nodes < result.nodes_traced);
  for (const phase of ["trace", "optimize", "open", "total"] as const)
    assert.ok(result.first_ms[phase] > 0, phase);
  assert.ok(result.lowered_mb > 0 && result.peak_rss_mb > 50);
  assert.equal(result.ms_per_image, null);
});

test("load-block: the block of a sharded checkpoint, against its bytes alone", () => {
  const result = bench<LoadBlockResult>("load-block");
  const { dim, hidden } = { dim: 96, hidden: 256 };
  assert.equal(result.file_mb, (2 * (4 * dim * dim + 3 * dim * hidden + 2 * dim)) / 1e6);
  const { disk, http } = result;
  for (const { ms, plain_ms, peaks_mb } of [disk, http]) {
    assert.ok(ms.median > 0 && plain_ms.median > 0);
    // Linux counts pages per processor and sums them now and then: a later peak may be some pages lower.
    assert.ok(peaks_mb.before > 20 && peaks_mb.used > 0.98 * peaks_mb.loaded, JSON.stringify(peaks_mb));
  }
  assert.ok(http.sent_mb > result.file_mb && http.sent_mb < result.file_mb + 0.3, `${http.sent_mb} MB sent`);
});

test("loader: normalized images of both pipelines", () => {
  const result = bench<LoaderResult>("loader");
  for (const pipeline of [result.pretrain, result.finetune]) {
    assert.ok(pipeline.images_per_s > 0);
    assert.ok(Math.abs(pipeline.mean_pixel) < 1.5);
  }
});

test("jpeg: whole images and crops, beside sharp", () => {
  const { whole, crop } = bench<JpegResult>("jpeg");
  for (const { ms_per_image, sharp_ms_per_image, ratio } of [whole, crop])
    assert.ok(ms_per_image.median > 0 && sharp_ms_per_image.median > 0 && ratio > 0);
});

test("what cannot be is named, all at once", () => {
  const main = join(__dirname, "..", "..", "..", "bench", "main.js");
  const { status, stderr } = spawnSync(process.execPath, [main, "pretrain", "--engine", "abacus"], {
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.match(stderr, /name is "pretrain".+--engine is "abacus"/);
});

test("kernel: sessions of our kernel and of tslab's", () => {
  const result = bench<KernelResult>("kernel", "--steps", "1", "--warmup", "0");
  for (const phases of [result.ms, result.tslab_ms])
    for (const { median, min, max } of Object.values(phases))
      assert.ok(0 < min && min <= median && median <= max && max < 60_000);
  assert.ok(result.ms.cell.median < result.ms.start.median);
  assert.ok(result.ms.cell.median < result.ms.long_cell.median);
  assert.equal(result.tslab_version, "1.0.22");
});

test("checkpoint: a save against plain writing, and memory of both processes", () => {
  const { first_step_ms, save_ms, plain_ms, ratio, checkpoint_mb, trained_mb, memory_mb } =
    bench<CheckpointResult>("checkpoint");
  assert.ok(first_step_ms > 0);
  for (const { median, min, max } of [save_ms, plain_ms])
    assert.ok(0 < min && min <= median && median <= max);
  assert.ok(Math.abs(ratio.medians - save_ms.median / plain_ms.median) < 1e-9);
  assert.ok(checkpoint_mb > 3 * trained_mb && checkpoint_mb < 3 * trained_mb + 1, `${checkpoint_mb} MB`);
  assert.deepEqual(Object.keys(memory_mb), ["before", "first_step", "save_begins", "saved", "done"]);
  if (process.platform === "linux") assert.ok(memory_mb.done!.engine > 50, JSON.stringify(memory_mb));
});

test("ask: the first answer has the graphs to make, the others have not", () => {
  const { ms, peer, answer_tokens, engine } = bench<AskResult>("ask");
  assert.deepEqual([answer_tokens, peer, engine], [8, null, "onnxruntime"]);
  assert.ok(0 < ms.median && ms.median <= ms.p90 && ms.p90 <= ms.max && ms.max < ms.first);
});

const hasMpi = ["mpirun", "mpicxx", "c++"].every((name) => spawnSync(name, ["--version"]).status === 0);
const withoutMpi = hasMpi && existsSync(addonPath()) ? false : "MPI, its addon or a compiler is not there";

test("the sum over two workers is measured beside raw TCP, over every transport", {
  skip: withoutMpi,
}, () => {
  const { bytes, rates } = bench<AllreduceResult>("allreduce");
  const trained = pretraining("toy", 1).task.model.counts().trainable;
  assert.equal(bytes, 4 * trained);
  assert.ok(rates.length > 0);
  for (const { sum_ms, tcp_ms, ratio } of rates)
    assert.ok(sum_ms.min > 0 && tcp_ms.min > 0 && ratio > 0, JSON.stringify(rates));
});

test("two workers make the steps that one makes, in turn", { skip: withoutMpi }, () => {
  const { one_ms, two_ms, ratio, loss_difference } = bench<TwoWorkersResult>("two-workers");
  assert.ok(one_ms.min > 0 && two_ms.min > 0 && ratio > 0);
  assert.ok(loss_difference < 1e-4, `${loss_difference}`);
});
