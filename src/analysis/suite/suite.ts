import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import type { EngineOptions } from "../../engine";
import { writeTable } from "../../io/table";
import type { Classifier } from "../../models/classifier";
import { scoresOf } from "../../train/evaluate";
import { openForward } from "../../train/forward";
import { engineOf } from "../engineOf";
import type { Provenance } from "../provenance";
import type { SuiteResult } from "./result";
import { partsOf, type SuiteSets } from "./sets";
import { SuiteWork } from "./work";

/** How far a suite is. */
export interface SuiteProgress {
  /** What is being evaluated: "in1k", "c/fog/3". */
  readonly part: string;
  /** Parts finished, and all. */
  readonly partsDone: number;
  readonly parts: number;
  /** Pictures of this part (of its shard) that are done in this call, and that had to be. */
  readonly done: number;
  readonly total: number;
  readonly imagesPerSecond: number;
  /** What it runs on. */
  readonly engine: string;
}

export interface SuiteOptions extends EngineOptions, Omit<Provenance, "data"> {
  /** Folder that keeps the answers; with it a suite that was stopped goes on where it was. Default none. */
  out?: string;
  /** Shard `index` (from 1) of `count`: the same share of every part, so that several machines can work at once. */
  shard?: { index: number; count: number };
  /** Pictures per forward pass; default 32. */
  batchSize?: number;
  /** Pictures per file of answers, which is what a killed suite has to do again; default 2048. */
  keepEvery?: number;
  onProgress?(progress: SuiteProgress): void;
  /** Ends the suite after the current batch; what was answered is kept. SIGINT does the same. */
  signal?: AbortSignal;
}

/**
 * Evaluates a classifier on everything that Tables 1, 3, 4 and 5 report and gives their rows: top-1 and top-5, mean
 * accuracy and corruption errors of ImageNet-C, background gaps of ImageNet-9. Resolves early, with what there is, when
 * it is stopped.
 *
 * @throws LuvitError("bad-argument") for sets that do not fit the model, or an `out` with answers of another model.
 * @example
 * const sets = await luvit.evaluate.openSuiteSets({ in1k: "imagenet", a: "imagenet-a" });
 * const result = await luvit.evaluate.suite(model, sets, { out: "runs/suite", recipe: "finetune", seed: 0 });
 */
export async function suite(
  model: Classifier,
  sets: SuiteSets,
  options: SuiteOptions = {},
): Promise<SuiteResult> {
  const parts = partsOf(sets);
  const { batchSize = 32, out, shard, signal } = options;
  expectOptions(options);
  const forward = await openForward("evaluate", model, scoresOf(model, batchSize), engineOf(options));
  const work = new SuiteWork(model, options, parts.length, forward, batchSize);
  const stop = () => work.stop();
  process.on("SIGINT", stop);
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  try {
    if (out !== undefined) await work.openFolder(out);
    for (const part of parts) await work.evaluate(part);
  } finally {
    process.off("SIGINT", stop);
    signal?.removeEventListener("abort", stop);
    await forward.dispose();
  }
  const result = work.result();
  const isWhole = result.complete && (shard?.count ?? 1) === 1;
  if (out !== undefined && isWhole) await writeTable(join(out, "results.arrow"), result.table);
  return result;
}

function expectOptions({
  batchSize = 32,
  keepEvery = 2048,
  shard = { index: 1, count: 1 },
}: SuiteOptions): void {
  const isCount = (value: number) => Number.isInteger(value) && value > 0;
  const problems = [
    isCount(batchSize) ? "" : `batchSize is ${batchSize}, expected a whole number from 1`,
    isCount(keepEvery) ? "" : `keepEvery is ${keepEvery}, expected a whole number from 1`,
    isCount(shard.index) && isCount(shard.count) && shard.index <= shard.count
      ? ""
      : `shard is ${shard.index}/${shard.count}, expected 1/n to n/n`,
  ].filter(Boolean);
  if (problems.length > 0) throw new LuvitError("bad-argument", `suite: ${problems.join("; ")}`);
}
