import { join } from "node:path";
import { expectFolderNames } from "../../core/folderNames";
import { checkOptions } from "../../core/options";
import { withStopRequest } from "../../core/stopRequest";
import { plainObject } from "../../io/options";
import { writeTable } from "../../io/tables";
import { type Classifier, classifierField } from "../../models/classifier";
import { logProbabilities } from "../../train/evaluate";
import { openForward } from "../../train/forward";
import { engineOf } from "../engineOf";
import { dataOf } from "./metrics";
import { type SuiteOptions, suiteOptions } from "./options";
import type { SuiteResult } from "./result";
import { type SuiteDriver, SuiteRun } from "./run";
import { partsOf, type SuitePart, type SuiteSets } from "./sets";
import { SuiteWork } from "./work";

export type { SuiteOptions } from "./options";

/**
 * Evaluates a classifier on everything that Tables 1, 3, 4 and 5 report and gives their rows: top-1 and top-5, mean
 * accuracy and corruption errors of ImageNet-C, background gaps of ImageNet-9. Returns at once with a handle; a
 * suite that is stopped resolves early, with what there is.
 *
 * @throws LuvitError("bad-argument") for options that cannot be; the run rejects with it for sets that do not fit the
 * model, or an `out` with answers of another model.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const run = luvit.benchmark.suite(model, { own: { shapes: images.take(12) } }, { out: "runs/suite", seed: 0 });
 * console.log(String(await run.done));
 */
export function suite(model: Classifier, sets: SuiteSets, options: SuiteOptions = {}): SuiteRun {
  checkOptions("suite", classifierField, model);
  checkOptions("suite", plainObject("an object: sets by name"), sets);
  checkOptions("suite", suiteOptions, options);
  if (options.out !== undefined) expectFolderNames("suite: own", Object.keys(sets.own ?? {}));
  const parts = partsOf(sets);
  const named = parts.map(({ key }) => ({ key, data: dataOf(key) }));
  const run = new SuiteRun(named, (driver, stopping) =>
    evaluateParts(model, parts, options, driver, stopping),
  );
  if (options.onProgress) run.onProgress(options.onProgress);
  return run;
}

async function evaluateParts(
  model: Classifier,
  parts: readonly SuitePart[],
  options: SuiteOptions,
  driver: SuiteDriver,
  stopping: AbortSignal,
): Promise<SuiteResult> {
  const { batchSize = 32, out, shard, signal } = options;
  const signals = AbortSignal.any(signal ? [stopping, signal] : [stopping]);
  return withStopRequest(signals, async (request) => {
    const forward = await openForward(
      "evaluate",
      model,
      logProbabilities(model, batchSize, "normalized"),
      engineOf(options),
    );
    driver.runsOn(forward.engine);
    const work = new SuiteWork({ model, options, request, driver, forward, batchSize });
    try {
      if (out !== undefined) await work.openFolder(out);
      for (const part of parts) await work.evaluate(part);
    } finally {
      await forward.dispose();
    }
    const result = work.result();
    const isWhole = result.complete && (shard?.count ?? 1) === 1;
    if (out !== undefined && isWhole) await writeTable(join(out, "results.arrow"), result.table);
    return result;
  });
}
