import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { data } from "../../src";
import { LuvitError } from "../../src/core/errors";
import { makeFolder } from "../../src/core/makeFolder";
import { Rng } from "../../src/core/rng";
import { writeAtomically } from "../../src/core/writeAtomically";
import type { CorruptionType } from "../../src/data/corruptionTypes";
import { type Drawing, DrawingSet } from "../../src/data/toy";

/** How many of what is drawn, and of which kind. */
export interface DrawnSizes {
  /** Pixels of an image, and of a patch. */
  size: number;
  patch: number;
  classes: number;
  ownBackground: number;
  train: number;
  val: number;
  /** Of each kind of background. */
  swapped: number;
  /** Images that are corrupted. */
  corrupted: number;
}

/** One corruption of each of ImageNet-C's groups whose constants do not ask for 224 pixels. */
export const corruptions = ["gaussian_noise", "glass_blur", "brightness", "contrast"] as const;
export const severities = [1, 2, 3, 4, 5] as const;
export const splits = ["original", "mixed_same", "mixed_rand"] as const;

/** The images of a study: to train with, to evaluate, on other backgrounds, and corrupted, by type and severity. */
export interface StudyDrawings {
  train: DrawingSet;
  val: DrawingSet;
  swapped: Record<(typeof splits)[number], DrawingSet>;
  corrupted: Map<CorruptionType, DrawingSet[]>;
}

/** Draws what is not in `folder` yet, and keeps it there: one file for each set. */
export async function makeDrawings(folder: string, sizes: DrawnSizes): Promise<void> {
  makeFolder(folder);
  const sets = drawingSets(sizes);
  for (const [name, set] of sets) await drawInto(join(folder, `${name}.bin`), set);
  const val = sets.get("val")!.take(sizes.corrupted);
  for (const type of corruptions) {
    for (const severity of severities)
      writeAtomically(
        join(folder, `${type}-${severity}.bin`),
        bytesOf(await corruptedSet(val, type, severity)),
      );
  }
}

/** The set with all its drawings, which are made and kept in `folder` where they do not lie there. */
export async function keptDrawings(folder: string, set: DrawingSet): Promise<DrawingSet> {
  const { seed, size, classes, ownBackground, background } = set.plan;
  const kind = `${classes}-${size}px-${ownBackground}-${background}`;
  const file = join(folder, `${set.length}-of-${kind}-seed-${seed}.bin`);
  if (existsSync(file)) return restore(set, file);
  makeFolder(folder);
  await drawInto(file, set);
  return set;
}

async function drawInto(file: string, set: DrawingSet): Promise<void> {
  for (let i = 0; i < set.length; i++) {
    set.drawing(i);
    if (i % 64 === 0) await new Promise(setImmediate);
  }
  writeAtomically(file, bytesOf(set));
}

/**
 * What `makeDrawings` left in `folder`.
 *
 * @throws LuvitError("bad-file") for a file of another length.
 */
export async function openDrawings(folder: string, sizes: DrawnSizes): Promise<StudyDrawings> {
  const sets = drawingSets(sizes);
  for (const [name, set] of sets) restore(set, join(folder, `${name}.bin`));
  const [train, val] = ["train", "val"].map((name) => sets.get(name)!);
  const swapped = Object.fromEntries(
    splits.map((name) => [name, sets.get(name)!]),
  ) as StudyDrawings["swapped"];
  const corrupted = new Map<CorruptionType, DrawingSet[]>();
  for (const type of corruptions) {
    corrupted.set(
      type,
      severities.map((severity) => {
        const part = val.take(sizes.corrupted);
        return restore(withDrawings(part, new Map()), join(folder, `${type}-${severity}.bin`));
      }),
    );
  }
  return { train, val, swapped, corrupted };
}

function drawingSets(sizes: DrawnSizes): Map<string, DrawingSet> {
  const { size, patch, classes, ownBackground, train, val, swapped } = sizes;
  const kind = { size, patch, classes, ownBackground };
  const { drawings } = data.toy;
  return new Map([
    ["train", drawings(1, train, kind)],
    ["val", drawings(2, val, kind)],
    ...splits.map((background) => [background, drawings(3, swapped, { ...kind, background })] as const),
  ]);
}

/** The same drawings as `kept` has them. */
function withDrawings(set: DrawingSet, kept: Map<number, Drawing>): DrawingSet {
  const numbers = Array.from({ length: set.length }, (_, i) => set.number(i));
  return new DrawingSet(set.plan, numbers, set.transform, kept);
}

async function corruptedSet(set: DrawingSet, type: CorruptionType, severity: number): Promise<DrawingSet> {
  const kept = new Map<number, Drawing>();
  for (let i = 0; i < set.length; i++) {
    const rng = new Rng(set.plan.seed).fork(type, severity, set.number(i));
    const { data: rgb } = await data.corruptions.apply(set.pixels(i), type, severity, rng);
    kept.set(set.number(i), { rgb: Uint8Array.from(rgb), covered: set.drawing(i).covered });
  }
  return withDrawings(set, kept);
}

/** Of every drawing its RGB bytes and its mask. */
function bytesOf(set: DrawingSet): Uint8Array {
  const drawn = Array.from({ length: set.length }, (_, i) => set.drawing(i));
  return Buffer.concat(drawn.flatMap(({ rgb, covered }) => [rgb, covered]));
}

function restore(set: DrawingSet, file: string): DrawingSet {
  const pixels = set.plan.size ** 2;
  const bytes = readFileSync(file);
  if (bytes.length !== 4 * pixels * set.length) {
    const message = `${file}: ${bytes.length} bytes, expected ${4 * pixels * set.length}; delete it and draw anew`;
    throw new LuvitError("bad-file", message);
  }
  for (let i = 0; i < set.length; i++) {
    const at = 4 * pixels * i;
    const rgb = bytes.subarray(at, at + 3 * pixels);
    set.kept.set(set.number(i), { rgb, covered: bytes.subarray(at + 3 * pixels, at + 4 * pixels) });
  }
  return set;
}
