import { LuvitError } from "../../../src/core/errors";
import { expectIndex, type ImageDataset, SkipReport } from "../../../src/data/dataset";
import { UnreadableClass } from "../../../src/data/unreadable";
import { baselines, classifier } from "../../../src/models";
import type { Classifier } from "../../../src/models/classifier";
import { llama7b } from "../../../src/models/llamaConfig";
import { perturb } from "../models/support";

/** Nine patches of 4 pixels; two ViT blocks of two heads, one LLaMA block of four. */
export const smallViT = { imageSize: 12, patchSize: 4, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };

/** A classifier of three classes whose weights follow from their seeds. */
export function smallClassifier(options: Partial<Parameters<typeof classifier.create>[0]> = {}): Classifier {
  const model = classifier.create({ encoder: smallViT, classes: 3, ...options });
  perturb(model);
  return model;
}

export function smallLuvit(options: Partial<Parameters<typeof classifier.create>[0]> = {}): Classifier {
  return smallClassifier({
    fusion: baselines.randomBlock({ ...llama7b, dim: 24, heads: 4, hiddenDim: 20 }),
    ...options,
  });
}

interface InMemory {
  count?: number;
  size?: number;
  /** Height and width of each image, in turn. */
  shapes?: readonly (readonly [number, number])[];
  classes?: readonly string[];
  /** Positions that cannot be read. */
  broken?: readonly number[];
  /** Patches with a mask, of so many pixels. */
  masks?: number;
  /** Positions as they are read, in order. */
  log?: unknown[];
}

/** Numbers that follow from their places, as images; labels go round. */
export function inMemory(given: InMemory = {}): ImageDataset {
  const { count = 5, size = 12, shapes, classes = ["a", "b", "c"], broken = [], masks, log } = given;
  const of = (positions: readonly number[]): ImageDataset => {
    const report = new SkipReport();
    const path = (index: number) => `${positions[index]}.png`;
    const label = (index: number) => positions[index] % classes.length;
    return {
      classes: [...classes],
      length: positions.length,
      size,
      report,
      path,
      label,
      ...(shapes && { ownShapes: true }),
      load: async (index) => {
        log?.push(positions[index]);
        if (broken.includes(positions[index])) {
          report.add(path(index), `${path(index)}: no image`);
          throw new UnreadableClass("bad-dataset", `nothing in place of ${path(index)}`);
        }
        const [height, width] = shapes?.[positions[index] % shapes.length] ?? [size, size];
        const cells = masks ? Math.floor(height / masks) * Math.floor(width / masks) : 0;
        const bits = (step: number) =>
          Uint8Array.from({ length: cells }, (_, i) => Number((i + positions[index]) % step === 0));
        return {
          image: Float32Array.from({ length: 3 * height * width }, (_, i) =>
            Math.sin((0.13 + 0.05 * positions[index]) * i),
          ),
          ...(shapes && { height, width }),
          ...(masks && { foreground: bits(3), valid: bits(5).map((bit) => 1 - bit) }),
          label: label(index),
          path: path(index),
          index,
        };
      },
      subset: (indices) => {
        for (const index of Array.from(indices)) expectIndex(index, positions.length);
        return of(Array.from(indices, (index) => positions[index]));
      },
      take: (most) => of(positions.slice(0, most)),
      withTransform: () => {
        throw new LuvitError("bad-argument", "images in memory stay as they are");
      },
    };
  };
  return of(Array.from({ length: count }, (_, i) => i));
}
