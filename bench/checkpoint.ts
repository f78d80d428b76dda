import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stopEngineProcesses } from "../src/engine";
import { loadBlock } from "../src/models/llama";
import type { LlamaBlocks } from "../src/models/llamaBlock";
import { attach } from "../src/models/lora";
import { create } from "../src/models/mae";
import { pretrain } from "../src/train/pretrain";
import { RunStore } from "../src/train/runFolder";
import { Stepper } from "../src/train/stepper";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { writeLlamaCheckpoint } from "./core/llamaCheckpoint";
import { type Memories, MemoryWatch } from "./core/memoryWatch";
import { NoiseImages } from "./core/noiseImages";
import type { BenchOptions } from "./core/options";
import { type Preset, presetOf } from "./core/presets";
import type { Report } from "./core/report";
import { median, type Spread, spreadOf } from "./core/statistics";

/** What a run costs beside its steps: until the first one begins, and at every checkpoint. */
export interface CheckpointResult extends Heading {
  /** From `train.pretrain` to the start of the first step, weights in the engine, a batch read; milliseconds. */
  first_step_ms: number;
  /** One checkpoint: from the engine to disk, synced, under its name, older ones removed. */
  save_ms: Spread;
  /** The same number of bytes written to one file beside it and synced, right after each or right before. */
  plain_ms: Spread;
  /** Saving / plain: of the medians, and the median over neighboring pairs. */
  ratio: { medians: number; pairwise: number };
  /** Bytes of a checkpoint, 1e6. */
  checkpoint_mb: number;
  trained_mb: number;
  frozen_mb: number;
  /** Resident memory, 1e6 bytes, of this process (the notebook's part) and the engine's. */
  memory_mb: Memories;
}

/** Trains with a checkpoint after every step. */
export async function checkpoint(options: BenchOptions): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "luvit-bench-"));
  try {
    const result = await measure(options, folder);
    return { json: { ...result, ...noFigures }, text: checkpointText(result) };
  } finally {
    await stopEngineProcesses();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(options: BenchOptions, folder: string): Promise<CheckpointResult> {
  const { warmup, steps, memory, engine, precision, frozen, provider } = options;
  const preset = presetOf(options.preset);
  const batch = options.batch ?? 1;
  const model = create({
    encoder: preset.vit,
    decoder: preset.decoder,
    fusion: await blockOf(preset, join(folder, "checkpoint")),
  });
  const images = new NoiseImages(batch, preset.vit.imageSize);
  const watch = new MemoryWatch();
  const marks = markTimes(join(folder, "plain"), watch);
  watch.note("before");
  const started = performance.now();
  const run = pretrain(model, images, {
    engine,
    precision,
    frozen,
    provider,
    memory,
    epochs: warmup + steps,
    batchSize: batch,
    lr: 1e-4,
    out: join(folder, "run"),
  });
  await run.done;
  watch.note("done");
  marks.restore();
  const [save, plain] = [marks.saves, marks.plain].map((all) => all.slice(warmup));
  const [save_ms, plain_ms] = [save, plain].map(spreadOf);
  const { total, trainable } = model.counts();
  return {
    ...headingOf(options, batch, run.engine!),
    first_step_ms: marks.prepared - started,
    save_ms,
    plain_ms,
    ratio: {
      medians: save_ms.median / plain_ms.median,
      pairwise: median(save.map((ms, i) => ms / plain[i])),
    },
    checkpoint_mb: marks.bytes / 1e6,
    trained_mb: (4 * trainable) / 1e6,
    frozen_mb: (4 * (total - trainable)) / 1e6,
    memory_mb: watch.memories,
  };
}

/** The frozen block as people have it: out of a float16 checkpoint. */
async function blockOf({ llama, rank }: Preset, checkpoint: string): Promise<LlamaBlocks | undefined> {
  if (!llama) return undefined;
  await writeLlamaCheckpoint(checkpoint, { ...llama, layers: 2, vocabulary: 256 });
  const block = await loadBlock(checkpoint);
  attach(block, { rank });
  return block;
}

/** Times of what the run does by itself. */
function markTimes(plainFile: string, watch: MemoryWatch) {
  const marks = { prepared: 0, saves: [] as number[], plain: [] as number[], bytes: 0, restore };
  const { prepare } = Stepper.prototype;
  const { save } = RunStore.prototype;
  Stepper.prototype.prepare = async function (...asked) {
    await prepare.apply(this, asked);
    if (marks.prepared > 0) return;
    marks.prepared = performance.now();
    watch.note("first_step");
  };
  // By turns one is first: the memory that files are kept in is dearer to whoever comes first after a step.
  const plainly = async () => {
    if (marks.bytes > 0) marks.plain.push(await writePlainly(plainFile, marks.bytes));
  };
  RunStore.prototype.save = async function (...asked) {
    const isPlainFirst = marks.saves.length % 2 === 1;
    if (isPlainFirst) await plainly();
    watch.note("save_begins");
    const started = performance.now();
    const folder = await save.apply(this, asked);
    marks.saves.push(performance.now() - started);
    watch.note("saved");
    marks.bytes = await bytesIn(folder);
    if (!isPlainFirst) await plainly();
    return folder;
  };
  function restore() {
    Object.assign(Stepper.prototype, { prepare });
    Object.assign(RunStore.prototype, { save });
  }
  return marks;
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  return bytes;
}

/** Bytes written at once. */
const PIECE = 2 ** 24;

/** Milliseconds to write and sync so many bytes. */
async function writePlainly(path: string, bytes: number): Promise<number> {
  const piece = new Uint8Array(Math.min(PIECE, bytes)).fill(1);
  const started = performance.now();
  const handle = await open(path, "w");
  for (let left = bytes; left > 0; left -= piece.length)
    await handle.write(piece, 0, Math.min(left, piece.length));
  await handle.sync();
  await handle.close();
  const ms = performance.now() - started;
  await rm(path);
  return ms;
}

function checkpointText(result: CheckpointResult): string {
  const { first_step_ms, save_ms, plain_ms, ratio, memory_mb } = result;
  const seconds = ({ median, min, max }: Spread) =>
    `${(median / 1000).toFixed(2)} s (${(min / 1000).toFixed(2)} to ${(max / 1000).toFixed(2)})`;
  const lines = Object.entries(memory_mb).map(
    ([when, { notebook, notebook_peak, engine, engine_peak }]) =>
      `  ${when.padEnd(12)} ${notebook.toFixed(0).padStart(6)} MB (peak ${notebook_peak.toFixed(0)}), ` +
      `engine ${engine.toFixed(0)} MB (peak ${engine_peak.toFixed(0)})`,
  );
  return [
    ...headingText(result),
    result.engine_description,
    `state     ${result.trained_mb.toFixed(0)} MB trained, ${result.frozen_mb.toFixed(0)} MB frozen; ` +
      `a checkpoint has ${result.checkpoint_mb.toFixed(0)} MB`,
    `from train.pretrain to the start of the first step ${(first_step_ms / 1000).toFixed(2)} s`,
    `saving    ${seconds(save_ms)}; plain writing of the same bytes ${seconds(plain_ms)}`,
    `          ratio ${ratio.medians.toFixed(2)} (medians), ${ratio.pairwise.toFixed(2)} (pairs)`,
    "memory    notebook's process, engine's process; peaks since the run began",
    ...lines,
  ].join("\n");
}
