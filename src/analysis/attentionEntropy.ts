import { Bool, Table, vectorFromArray } from "apache-arrow";
import { LuvitError } from "../core/errors";
import { checkOptions, list, optionsOf, text } from "../core/options";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset, Sample } from "../data/dataset";
import type { CellMask } from "../data/masks";
import { arrowTable } from "../io/options";
import { textColumn } from "../io/tables";
import { type Classifier, classifierField } from "../models/classifier";
import type { Context } from "../nn/context";
import type { PatchGrid } from "../nn/positionEmbedding";
import { backgroundShare, type EntropyShare, patchEntropy, regionMeans } from "./entropy";
import { type Body, forwardBatches, type MaskedOrPlain } from "./forwardBatches";
import type { ImageShape } from "./graphsByShape";
import { batchSize, checkLooked, type LookOptions, looking, patchMapOptions } from "./options";
import { expectLayers, tapPatterns } from "./patterns";

/** A row per image, layer, head and patch; see `attentionEntropy`. */
export type EntropyTable = Table;

/** How attention entropy is computed: in which batches, on which engine. */
export interface EntropyOptions extends LookOptions {
  /** Which layers, e.g. ["blocks.11"]; default every ViT block and every LLaMA block. */
  layers?: readonly string[];
  /** Default 16. */
  batchSize?: number;
}

export const entropyOptions = optionsOf<EntropyOptions>({}, { ...looking, layers: list(text, 1), batchSize });

/** The layer Figures 2 and 3 look at: the last ViT block (the paper's 12th), before the fusion path. */
export function lastViTLayer(model: Classifier): string {
  checkOptions("lastViTLayer", classifierField, model);
  return `blocks.${model.encoder.config.depth - 1}`;
}

/**
 * Attention entropy of every patch query, per layer and head (LUViT eq. 3), as an Arrow table with the columns
 * image (path), index, label, layer ("blocks.11", "llama.layers.0"), head, patch (row-major), entropy (nats, over all
 * keys, the class token among them) and foreground (null where the set has no masks or the cell is ignored).
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const entropies = await luvit.analysis.attentionEntropy(model, images.take(4));
 * console.log(entropies.numRows, luvit.analysis.layersOf(entropies));
 */
export async function attentionEntropy(
  model: Classifier,
  dataset: ImageDataset,
  options: EntropyOptions = {},
): Promise<EntropyTable> {
  checkLooked("attentionEntropy", model, dataset);
  checkOptions("attentionEntropy", entropyOptions, options);
  const { layers, batchSize = 16, ...engine } = options;
  const columns = new EntropyColumns();
  const body: Body = (images, { context }) => {
    const entropies = layerEntropies(model, images, context);
    expectLayers("attentionEntropy", layers, Object.keys(entropies));
    return layers ? Object.fromEntries(layers.map((layer) => [layer, entropies[layer]])) : entropies;
  };
  const forward = { batchSize, ...engine };
  for await (const { samples, size, grid, results } of forwardBatches(model, dataset, body, forward)) {
    const patches = grid.rows * grid.columns;
    for (const [layer, entropy] of Object.entries(results)) {
      columns.add(samples, layer, patches, entropy, entropy.length / (size * patches));
    }
  }
  return columns.table();
}

/** Entropies [B, H, P] of the patch queries of every layer with attention, by the layer's name. */
function layerEntropies(model: Classifier, images: Tensor, context: Context): Record<string, Tensor> {
  const entropies: Record<string, Tensor> = {};
  const tap = tapPatterns((layer, pattern) => {
    entropies[layer] = patchEntropy(pattern);
  });
  model.tokens(images, { ...context, tap });
  return entropies;
}

/** Maps of one image at one layer, on the patch grid. */
export interface PatchMaps {
  sample: Sample & Partial<CellMask>;
  /** Pixels of the image. */
  shape: ImageShape;
  /** Rows and columns of patches. */
  grid: PatchGrid;
  /** Mean over heads of the attention entropy, nats, [P]; at most the logarithm of the number of tokens, ln (P + 1). */
  entropy: Float32Array;
  /** L2 norm of each patch token after the layer, [P]. */
  norm: Float32Array;
}

/**
 * Entropy and patch-norm maps (Figure 3) of every image of a (small) set; default the last ViT block.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const maps = await luvit.analysis.patchMaps(model, images.take(2));
 */
export async function patchMaps(
  model: Classifier,
  dataset: ImageDataset,
  options: { layer?: string; batchSize?: number } & LookOptions = {},
): Promise<PatchMaps[]> {
  checkLooked("patchMaps", model, dataset);
  checkOptions("patchMaps", patchMapOptions, options);
  const { layer = lastViTLayer(model), batchSize = 16, ...engine } = options;
  const body: Body = (images, { context }) => {
    const maps: Record<string, Tensor> = {};
    const tap = (name: string, value: Tensor) => {
      if (name === `${layer}.attn.pattern`) maps.entropy = tf.mean(patchEntropy(value), 1);
      if (name === `${layer}.out`) maps.norm = tf.sqrt(tf.sum(tf.square(withoutClassToken(value)), -1));
    };
    model.tokens(images, { ...context, tap });
    if (maps.entropy && maps.norm) return maps;
    const message = `patchMaps: no ViT block named ${layer}; the last is ${lastViTLayer(model)}`;
    throw new LuvitError("bad-argument", message);
  };
  const maps: PatchMaps[] = [];
  const batches = forwardBatches(model, dataset, body, { batchSize, ...engine });
  for await (const { samples, shape, grid, results } of batches) {
    const size = grid.rows * grid.columns;
    for (const [i, sample] of samples.entries()) {
      const slice = (values: Float32Array) => values.slice(i * size, (i + 1) * size);
      maps.push({ sample, shape, grid, entropy: slice(results.entropy), norm: slice(results.norm) });
    }
  }
  return maps;
}

/** Mean entropies of one image: a point of Figure 2. */
export interface EntropyPoint {
  image: string;
  foreground: number;
  background: number;
}

/** One layer of an entropy table, image by image. */
export interface EntropySummary extends EntropyShare {
  layer: string;
  /** Images with both a foreground and a background, in table order. */
  points: EntropyPoint[];
}

/**
 * Foreground and background means of a layer (over cells and heads), and how often the background's is greater.
 *
 * @example
 * const set = await luvit.data.imageNetS({
 *   images: "data/shapes/val",
 *   masks: "data/shapes/segmentation/validation",
 *   patch: 8,
 *   transform: luvit.data.transforms.none(64),
 * });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const entropies = await luvit.analysis.attentionEntropy(model, set.take(4));
 * const { percentBackgroundGreater } = luvit.analysis.summarizeEntropy(entropies, luvit.analysis.lastViTLayer(model));
 */
export function summarizeEntropy(table: EntropyTable, layer: string): EntropySummary {
  checkOptions("summarizeEntropy", arrowTable, table);
  const column = (name: string) => table.getChild(name)!;
  const [layers, indices, images] = ["layer", "index", "image"].map(column);
  const [entropies, foregrounds] = ["entropy", "foreground"].map(column);
  const cells = new Map<
    number,
    { image: string; values: number[]; foreground: number[]; counted: number[] }
  >();
  for (let row = 0; row < table.numRows; row++) {
    if (layers.get(row) !== layer) continue;
    const index = indices.get(row);
    if (!cells.has(index))
      cells.set(index, { image: images.get(row), values: [], foreground: [], counted: [] });
    const image = cells.get(index)!;
    const isForeground = foregrounds.get(row);
    image.values.push(entropies.get(row));
    image.foreground.push(isForeground ? 1 : 0);
    image.counted.push(isForeground === null ? 0 : 1);
  }
  if (cells.size === 0)
    throw new LuvitError("bad-argument", `summarizeEntropy: the table has no layer "${layer}"`);
  // Every head and cell weighs the same, so the mean over all equals the mean over cells of the mean over heads.
  const means = [...cells.values()].map((c) => ({
    image: c.image,
    ...regionMeans(c.values, c.foreground, c.counted),
  }));
  const points = means.filter((m): m is EntropyPoint => m.foreground !== null && m.background !== null);
  return { layer, points, ...backgroundShare(means) };
}

/** The layers a table holds, in order of appearance. */
export function layersOf(table: EntropyTable): string[] {
  checkOptions("layersOf", arrowTable, table);
  return [...new Set(table.getChild("layer")!.toArray() as string[])];
}

function withoutClassToken(tokens: Tensor): Tensor {
  const [batch, count, dim] = tokens.shape as [number, number, number];
  return tf.slice(tokens, [0, 1, 0], [batch, count - 1, dim]);
}

/** Columns of the entropy table, filled batch by batch. */
class EntropyColumns {
  private readonly image: string[] = [];
  private readonly layer: string[] = [];
  private readonly index: number[] = [];
  private readonly label: number[] = [];
  private readonly head: number[] = [];
  private readonly patch: number[] = [];
  private readonly entropy: number[] = [];
  private readonly foreground: (boolean | null)[] = [];

  add(
    samples: readonly MaskedOrPlain[],
    layer: string,
    patches: number,
    /** [B, H, P]; images beyond the samples are none. */
    values: Float32Array,
    heads: number,
  ): void {
    let at = 0;
    for (const sample of samples) {
      for (let head = 0; head < heads; head++) {
        for (let patch = 0; patch < patches; patch++) {
          this.image.push(sample.path);
          this.layer.push(layer);
          this.index.push(sample.index);
          this.label.push(sample.label);
          this.head.push(head);
          this.patch.push(patch);
          this.entropy.push(values[at++]);
          this.foreground.push(regionOf(sample, patch));
        }
      }
    }
  }

  table(): EntropyTable {
    return new Table({
      image: textColumn(this.image),
      index: vectorFromArray(Int32Array.from(this.index)),
      label: vectorFromArray(Int32Array.from(this.label)),
      layer: textColumn(this.layer),
      head: vectorFromArray(Uint16Array.from(this.head)),
      patch: vectorFromArray(Uint16Array.from(this.patch)),
      entropy: vectorFromArray(Float32Array.from(this.entropy)),
      foreground: vectorFromArray(this.foreground, new Bool()),
    });
  }
}

/** true foreground, false background, null unknown or ignored. */
function regionOf({ foreground, valid }: MaskedOrPlain, patch: number): boolean | null {
  if (!foreground || (valid && !valid[patch])) return null;
  return foreground[patch] === 1;
}
