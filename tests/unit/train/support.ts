import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { LuvitError, type LuvitErrorCode } from "../../../src/core/errors";
import type { StateDict } from "../../../src/core/hostTensor";
import type { ImageDataset } from "../../../src/data/dataset";
import { type FolderDataset, imageFolder } from "../../../src/data/imageFolder";
import type { ImageTransform } from "../../../src/data/imageTransform";
import * as transforms from "../../../src/data/transforms";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { classifier, mae, type vit } from "../../../src/models";
import type { Classifier } from "../../../src/models/classifier";
import type { MaskedAutoencoder } from "../../../src/models/mae";
import type { Module } from "../../../src/nn/module";
import type { FinetuneOptions } from "../../../src/train/finetune";
import type { TrainOptions } from "../../../src/train/plan";
import type { Run, RunResult, StepRecord } from "../../../src/train/run";
import { temporaryFolder } from "../../support/temporaryFolder";

export { temporaryFolder };

export const tinyViT: vit.ViTConfig = {
  imageSize: 16,
  patchSize: 8,
  dim: 16,
  depth: 2,
  heads: 2,
  mlpRatio: 2,
};
export const tinyDecoder: mae.DecoderConfig = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };

/** 12 images in batches of 4: three steps per epoch, six in all. */
export const pretraining: TrainOptions = { epochs: 2, batchSize: 4, lr: 1e-2, warmupEpochs: 1 };

/** 12 images in six batches of 2, two to a step: three steps per epoch, six in all. */
export const finetuning: FinetuneOptions = {
  epochs: 2,
  batchSize: 2,
  accumulate: 2,
  lr: 1e-2,
  warmupEpochs: 1,
  dropPath: 0.4,
  mix: { mixupAlpha: 0.8, cutmixAlpha: 1 },
};

/** Writes `<folder>/{green,red}/*.png`, 24 pixels wide, each with a gradient of its own; green is class 0. */
export async function writeImages(folder: string, perClass = 6): Promise<string> {
  for (const [label, name] of ["green", "red"].entries()) {
    await mkdir(join(folder, name), { recursive: true });
    for (let number = 0; number < perClass; number++) {
      const data = Buffer.alloc(24 * 24 * 3);
      for (let i = 0; i < 24 * 24; i++) {
        data[3 * i + (1 - label)] = 150 + 4 * (i % 24);
        data[3 * i + 2] = (i * (number + 3)) % 120;
      }
      const raw = { width: 24, height: 24, channels: 3 } as const;
      await sharp(data, { raw })
        .png()
        .toFile(join(folder, name, `${number}.png`));
    }
  }
  return folder;
}

/** Twelve images of two classes, cropped and mirrored at random. */
export async function images(
  augment: (size: number) => ImageTransform = transforms.mae,
): Promise<FolderDataset> {
  return imageFolder(await writeImages(temporaryFolder()), { transform: augment(16) });
}

export function tinyMae(seed = 0): MaskedAutoencoder {
  return mae.create({ encoder: tinyViT, decoder: tinyDecoder, seed });
}

export function tinyClassifier(seed = 0): Classifier {
  return classifier.create({ encoder: tinyViT, classes: 2, seed });
}

/** Asks a run to stop once it has finished `step` steps. */
export function stopAfter<M extends Module>(run: Run<M>, step: number): Promise<RunResult<M>> {
  run.onRecord((record) => {
    if (record.step === step) void run.stop();
  });
  return run.done;
}

export function losses(history: readonly StepRecord[]): number[] {
  return history.map(({ loss }) => loss);
}

export function readLines(folder: string): StepRecord[] {
  const text = readFileSync(join(folder, "metrics.jsonl"), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Two runs ended with the same parameters and the same optimizer moments, bit for bit. */
export async function assertSameCheckpoint(
  actual: string | undefined,
  expected: string | undefined,
): Promise<void> {
  const [a, b] = [await readTrainingCheckpoint(actual!), await readTrainingCheckpoint(expected!)];
  assert.equal(a.step, b.step);
  for (const part of ["model", "optimizer"] as const) assertSameBits(a[part], b[part]);
  assertSameBits(a.helpers ?? new Map(), b.helpers ?? new Map());
}

export function assertSameBits(actual: StateDict, expected: StateDict): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  const bits = ({ data }: { data: Float32Array }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (const [path, tensor] of actual)
    assert.ok(bits(tensor).equals(bits(expected.get(path)!)), `${path} differs`);
}

/** The promise rejects with a LuvitError of this code whose message has every one of these pieces. */
export async function assertRejects(
  promise: Promise<unknown>,
  code: LuvitErrorCode,
  ...pieces: readonly (string | RegExp)[]
): Promise<LuvitError> {
  let caught: unknown;
  await promise.catch((error) => {
    caught = error;
  });
  return expectError(caught, code, pieces);
}

/** As `assertRejects`, for what throws at once. */
export function assertThrows(
  body: () => unknown,
  code: LuvitErrorCode,
  ...pieces: readonly (string | RegExp)[]
): void {
  let caught: unknown;
  try {
    body();
  } catch (error) {
    caught = error;
  }
  expectError(caught, code, pieces);
}

function expectError(error: unknown, code: LuvitErrorCode, pieces: readonly (string | RegExp)[]): LuvitError {
  assert.ok(error instanceof LuvitError, `expected a LuvitError, got ${error}`);
  assert.equal(error.code, code, error.message);
  for (const piece of pieces) {
    const found = typeof piece === "string" ? error.message.includes(piece) : piece.test(error.message);
    assert.ok(found, `"${piece}" is not in: ${error.message}`);
  }
  return error;
}

/** A set of images of three classes that nobody reads. */
export const unreadSet = (length: number, more: object = {}) =>
  ({ length, size: 16, classes: ["a", "b", "c"], ...more }) as unknown as ImageDataset;

/** To 4 digits: what engines compute differs a little. */
export const rough = (values: ArrayLike<number>) =>
  Array.from(values, (value) => Number(value.toPrecision(4)));
