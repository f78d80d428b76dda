import { join } from "node:path";
import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../core/errors";
import { checkOptions, list, oneOf, optionsOf, text } from "../core/options";
import { textTable } from "../core/textTable";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import { writeTable } from "../io/tables";
import type { Encoder } from "../models/encoder";
import type { Context } from "../nn/context";
import { engineOf } from "./engineOf";
import type { ForwardBatch, LookedAt, MaskedOrPlain } from "./forwardBatches";
import {
  describeMissing,
  describeUnreadable,
  gatherRows,
  type KeepingOptions,
  keeping,
  type SharedOptions,
  shared,
} from "./gatherRows";
import { batchSize, checkLooked, type LookOptions, looking, provenance } from "./options";
import { type PaperPair, paperTable7 } from "./paper";
import { columnsOf, type Provenance, resultTable } from "./provenance";
import {
  classAttentionMap,
  frequencyMap,
  magnitudeMap,
  type PseudoMaskMean,
  pseudoMaskOverlap,
  pseudoMaskThresholds,
} from "./pseudoMasks";

/** What a pseudo-mask is made of: tokens of a layer, or the class token's attention in it. */
export type PseudoMaskKind = "magnitude" | "frequency" | "attention";

export interface PseudoMaskOptions
  extends LookOptions,
    KeepingOptions,
    SharedOptions,
    Provenance,
    PseudoMaskMean {
  /** Default the last ViT block, as in Table 7. */
  layer?: string;
  /** Default magnitude and frequency. */
  kinds?: readonly PseudoMaskKind[];
  /** Default 16. */
  batchSize?: number;
}

export const pseudoMaskOptions = optionsOf<PseudoMaskOptions>(
  {},
  {
    ...looking,
    ...keeping.optional,
    ...shared.optional,
    ...provenance.optional,
    layer: text,
    kinds: list(oneOf(["magnitude", "frequency", "attention"]), 1),
    batchSize,
    mean: oneOf(["all", "column"]),
  },
);

/** One kind of pseudo-mask over a set; percent. */
export interface PseudoMaskSummary {
  kind: PseudoMaskKind;
  images: number;
  /** Every image at its own best threshold (Pang et al. A.5): an upper bound. */
  bestPerImage: number;
  /** All images at the one threshold that is best for the set (LUViT B.3). */
  fixed: number;
  fixedThreshold: number;
}

/** Pseudo-masks against the drawn masks of a set. Prints beside the paper's numbers. */
export class PseudoMaskIou {
  constructor(
    /** A row per image, kind and threshold: image, index, kind, threshold, iou (0 to 1); and the provenance. */
    readonly table: Table,
    readonly summaries: readonly PseudoMaskSummary[],
    private readonly data: string | undefined,
    /** "images 512 to 751": what was not got to before it was stopped. */
    readonly missing: readonly string[] = [],
    /** Images that could not be read. */
    readonly unreadable = 0,
  ) {}

  /** Every image has been looked at. */
  get complete(): boolean {
    return this.missing.length === 0;
  }

  toString(): string {
    const head = [
      "pseudo-mask",
      "images",
      "best per image",
      "one threshold",
      "threshold",
      "paper: ViT",
      "LUViT",
    ];
    const rows = this.summaries.map((one) => {
      const { ViT, LUViT } = paperPair(this.data, one.kind);
      const cells = [one.bestPerImage, one.fixed, one.fixedThreshold, ViT, LUViT];
      const number = (x?: number) => (x === undefined || Number.isNaN(x) ? "–" : x.toFixed(1));
      return [one.kind, String(one.images), ...cells.map(number)];
    });
    const title = `mean intersection over union, percent${this.data ? `, ${this.data}` : ""}`;
    const missing = this.missing.map((range) => `not looked at: ${range}`);
    return [title, textTable(head, rows), ...missing, ...describeUnreadable(this.unreadable)].join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function paperPair(data: string | undefined, kind: PseudoMaskKind): PaperPair {
  const table: Record<string, Partial<Record<PseudoMaskKind, PaperPair>>> = paperTable7;
  return table[data ?? ""]?.[kind] ?? {};
}

/**
 * How well what tokens look like tells objects from background (Table 7): pseudo-masks from one layer's patch tokens, by
 * magnitude and by frequency, at nine thresholds, against the masks of a set. Images without a foreground cell count
 * with an overlap of 0. `data` "ImageNet-S-50", "-300" or "-919" prints the paper's numbers beside. With `out` the numbers
 * are kept in `<out>/pseudo-masks` as they come, and `pseudo-masks.arrow` beside that folder holds them when they are whole.
 * Resolves early, with what there is, when it is stopped. Shards share that folder, as those of `entropyShares`.
 *
 * @throws LuvitError("bad-argument") for a set without masks, a layer the model does not have, or an `out` with numbers of
 * another model.
 * @throws LuvitError("bad-dataset") for a set of which nothing can be read.
 */
export async function pseudoMaskIou(
  model: LookedAt,
  dataset: ImageDataset,
  options: PseudoMaskOptions = {},
): Promise<PseudoMaskIou> {
  checkLooked("pseudoMaskIou", model, dataset);
  checkOptions("pseudoMaskIou", pseudoMaskOptions, options);
  const { depth } = model.encoder.config;
  const { layer = `blocks.${depth - 1}`, kinds = ["magnitude", "frequency"], batchSize = 16, mean } = options;
  const {
    data,
    recipe,
    seed,
    model: name = model.toString(),
    out,
    keepEvery,
    signal,
    shard,
    positions,
    graphs,
  } = options;
  const { rows, missing, unreadable } = await gatherRows<OverlapRow>({
    label: "pseudo-masks",
    data,
    model,
    dataset,
    out,
    keepEvery,
    signal,
    shard,
    facts: { layer, kinds, mean: mean === "all" ? undefined : mean }, // as where nothing is said
    forward: { batchSize, positions, graphs, ...engineOf(options) },
    body: (images, { context }) => layerTensors(model, images, layer, kinds, context),
    rows: (batch) =>
      batch.samples.flatMap((sample, i) =>
        kinds.flatMap((kind) => overlapsOf(sample, kind, mapOf(kind, batch, i, model, mean))),
      ),
  });
  const columns = columnsOf(rows, ["image", "index", "kind", "threshold", "iou"]);
  const table = resultTable(columns, { model: name, data, recipe, seed });
  const isWhole = missing.length === 0 && (shard?.count ?? 1) === 1;
  if (out !== undefined && isWhole) await writeTable(join(out, "pseudo-masks.arrow"), table);
  return new PseudoMaskIou(table, summariesOf(rows, kinds), data, missing.map(describeMissing), unreadable);
}

/** Patch tokens [B, P, D] after a layer, and its attention pattern [B, H, T, T], as the kinds need them. */
function layerTensors(
  model: { readonly encoder: Encoder },
  images: Tensor,
  layer: string,
  kinds: readonly PseudoMaskKind[],
  context: Context,
): Record<string, Tensor> {
  const found: Record<string, Tensor> = {};
  const tap = (name: string, value: Tensor) => {
    if (name === `${layer}.attn.pattern` && kinds.includes("attention")) found.pattern = value;
    if (name !== `${layer}.out` || !kinds.some((kind) => kind !== "attention")) return;
    const [batch, count, dim] = value.shape as [number, number, number];
    found.tokens = tf.slice(value, [0, 1, 0], [batch, count - 1, dim]);
  };
  model.encoder.tokens(images, { ...context, tap });
  const needed = kinds.map((kind) => (kind === "attention" ? "pattern" : "tokens"));
  if (needed.every((part) => part in found)) return found;
  const message = `pseudoMaskIou: no ViT block named ${layer}; the last is blocks.${model.encoder.config.depth - 1}`;
  throw new LuvitError("bad-argument", message);
}

function mapOf(
  kind: PseudoMaskKind,
  { results, size, grid }: ForwardBatch,
  image: number,
  { encoder: { config } }: { readonly encoder: Encoder },
  mean: PseudoMaskMean["mean"],
): Float64Array {
  const values = kind === "attention" ? results.pattern : results.tokens;
  const one = values.subarray((image * values.length) / size, ((image + 1) * values.length) / size);
  if (kind === "attention") return classAttentionMap(one, config.heads);
  const [channels, how] = [one.length / (grid.rows * grid.columns), { mean, columns: grid.columns }];
  return kind === "magnitude" ? magnitudeMap(one, channels, how) : frequencyMap(one, channels, how);
}

/** The overlap of an image's pseudo-mask at a threshold with its drawn mask. */
interface OverlapRow {
  image: string;
  index: number;
  kind: PseudoMaskKind;
  threshold: number;
  iou: number;
}

function overlapsOf(
  { path, index, foreground, valid }: MaskedOrPlain,
  kind: PseudoMaskKind,
  map: Float64Array,
): OverlapRow[] {
  if (!foreground) {
    throw new LuvitError("bad-argument", `pseudoMaskIou: ${path} has no mask; open the set with imageNetS`);
  }
  return pseudoMaskThresholds.map((threshold) => {
    const iou = pseudoMaskOverlap(map, threshold, foreground, valid);
    return { image: path, index, kind, threshold, iou };
  });
}

function summariesOf(rows: readonly OverlapRow[], kinds: readonly PseudoMaskKind[]): PseudoMaskSummary[] {
  const count = pseudoMaskThresholds.length;
  return kinds.map((kind) => {
    const overlaps = rows.filter((row) => row.kind === kind).map(({ iou }) => iou);
    const images = Array.from({ length: overlaps.length / count }, (_, i) =>
      overlaps.slice(i * count, (i + 1) * count),
    );
    return summarize(kind, images);
  });
}

/** `overlaps` has a row per image, a column per threshold. */
function summarize(kind: PseudoMaskKind, overlaps: readonly number[][]): PseudoMaskSummary {
  const mean = (values: readonly number[]) => (100 * values.reduce((sum, x) => sum + x, 0)) / values.length;
  const perThreshold = pseudoMaskThresholds.map((_, i) => mean(overlaps.map((row) => row[i])));
  const fixed = Math.max(...perThreshold);
  const fixedThreshold = pseudoMaskThresholds[perThreshold.indexOf(fixed)];
  const bestPerImage = mean(overlaps.map((row) => Math.max(...row)));
  return { kind, images: overlaps.length, bestPerImage, fixed, fixedThreshold };
}
