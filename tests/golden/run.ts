import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../../src/core/packageRoot";
import { startBackend } from "../../src/core/tf";
import { type EngineOptions, engineOf } from "../../src/engine";
import { runAnalysis } from "./analysis";
import { runCheckpoints } from "./checkpoints";
import { runCoco } from "./coco";
import { runCorruptions } from "./corruptions";
import { runDetectionData } from "./detectionData";
import { detectorRunners } from "./detectorCases";
import { distillRunners } from "./distill";
import { eagerly as opByOp } from "./execute";
import { eagerly, stepsEagerly } from "./gradients";
import { type CaseRunner, type Check, readCaseFile } from "./harness";
import { runImages } from "./images";
import { runInterventions } from "./interventions";
import { runLens } from "./lens";
import { runLinearProbe } from "./linearProbe";
import { runBidirectionalBlock, runCausalBlock } from "./llama";
import { runLoraPeft } from "./lora";
import { runLuvitFinetune, runLuvitPretrain } from "./luvit";
import { runMaePretrain } from "./mae";
import { runAdamW, runSchedules } from "./optim";
import { runPositions } from "./positions";
import { runPrimitives } from "./primitives";
import { runRelevance } from "./relevance";
import { runFeatures } from "./representations";
import { runSegAugment } from "./segAugment";
import { runSegForward, runSegStep } from "./segModel";
import { runSegGroups, runSegMetric, runSegResize } from "./segmentation";
import { gradientCases, runnersThrough } from "./throughEngine";

/** Cases that can be computed op by op and as graphs on an engine. */
const lookedInside = (engine?: EngineOptions): Record<string, CaseRunner> => ({
  interventions: runInterventions(engine),
  relevance: runRelevance(engine),
  lens: runLens(engine),
  linear_probe: runLinearProbe(engine),
  features: runFeatures(engine),
  seg_forward: runSegForward(engine),
});

const runners: Record<string, CaseRunner> = {
  ...lookedInside(),
  primitives: runPrimitives,
  pos_embed: runPositions,
  mae_pretrain: runMaePretrain,
  llama_block_bidirectional: runBidirectionalBlock,
  llama_block_causal_rope: runCausalBlock,
  lora_peft: runLoraPeft,
  luvit_pretrain: runLuvitPretrain,
  luvit_finetune: runLuvitFinetune,
  schedules: runSchedules,
  opt: runAdamW,
  analysis: runAnalysis,
  checkpoints: runCheckpoints,
  images: runImages,
  corruptions: runCorruptions,
  coco: runCoco,
  seg_augment: runSegAugment,
  seg_groups: runSegGroups,
  seg_metric: runSegMetric,
  seg_resize: runSegResize,
  seg_step: runSegStep,
  detection_data: runDetectionData,
  ...detectorRunners(opByOp),
  ...Object.fromEntries(
    Object.entries(gradientCases).map(([name, make]) => [name, make(eagerly, stepsEagerly)]),
  ),
  ...distillRunners,
};

/** What the command line says: cases by name, and an engine to run through it the cases that can be. */
function settings() {
  const { values, positionals } = parseArgs({
    options: {
      engine: { type: "string" },
      provider: { type: "string" },
      precision: { type: "string" },
    },
    allowPositionals: true,
  });
  const engine = engineOf(values as EngineOptions);
  const isChosen = Object.keys(engine).length > 0;
  const through = () => ({ ...runnersThrough(engine), ...lookedInside(engine) });
  return { wanted: positionals, chosen: isChosen ? through() : runners };
}

/** GOLDEN_DIR, or the cases kept with the tests. */
function goldenFolder(): string {
  return process.env.GOLDEN_DIR ?? join(packageRoot(), "tests", "golden", "cases");
}

const number = (x: number) => (x === 0 ? "0" : Number.isFinite(x) ? x.toExponential(2) : String(x));

/** The check closest to its bound, and how many missed it. */
function describe(checks: readonly Check[]): string {
  const share = ({ error, tolerance }: Check) => (error === 0 ? 0 : error / tolerance);
  const worst = checks.reduce((a, b) => (share(b) > share(a) ? b : a));
  return `${checks.length} checks, closest to its bound: ${worst.name} ${number(worst.error)} of ${number(worst.tolerance)}`;
}

/** All checks of a folder; undefined for a case that this version does not know. */
async function runCase(folder: string, known: Record<string, CaseRunner>): Promise<Check[] | undefined> {
  try {
    const meta = readCaseFile(folder);
    return await known[meta.case]?.(folder, meta);
  } catch (error) {
    const { stack, message } = error as Error;
    console.log(stack);
    return [{ name: `threw: ${message.split("\n")[0]}`, error: Number.POSITIVE_INFINITY, tolerance: 0 }];
  }
}

/**
 * Runs the cases named on the command line, by default all; with --engine, --provider or --precision those
 * that train or look inside, as graphs on that engine.
 */
async function main(): Promise<void> {
  const folder = goldenFolder();
  console.log(`${await startBackend()}\ngolden cases from ${folder}`);
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  const { wanted, chosen } = settings();
  for (const entry of readdirSync(folder).sort()) {
    const path = join(folder, entry);
    if (!existsSync(join(path, "case.json")) || (wanted.length > 0 && !wanted.includes(entry))) continue;
    const started = performance.now();
    const checks = await runCase(path, chosen);
    if (!checks) {
      skipped.push(entry);
      continue;
    }
    const misses = checks.filter((check) => !(check.error <= check.tolerance));
    const ok = misses.length === 0 && checks.length > 0;
    if (ok) passed++;
    else failed++;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${ok ? "ok  " : "FAIL"} ${entry.padEnd(26)} ${describe(checks)}  (${seconds} s)`);
    for (const miss of misses)
      console.log(`       ${miss.name}: ${number(miss.error)} > ${number(miss.tolerance)}`);
  }
  const why = chosen === runners ? "not covered by this version" : "it has nothing that an engine computes";
  for (const name of skipped) console.log(`SKIPPED ${name}, ${why}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

void main();
