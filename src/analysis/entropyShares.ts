import { join } from "node:path";
import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../core/errors";
import { expectFolderNames } from "../core/folderNames";
import { checkOptions, named, optionsOf, text } from "../core/options";
import { textTable } from "../core/textTable";
import { type Tensor, tf } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { writeTable } from "../io/tables";
import type { Classifier } from "../models/classifier";
import { lastViTLayer } from "./attentionEntropy";
import { engineOf } from "./engineOf";
import { backgroundShare, type EntropyShare, patchEntropy, type RegionMeans, regionMeans } from "./entropy";
import {
  describeMissing,
  describeUnreadable,
  gatherRows,
  type KeepingOptions,
  keeping,
  type RowWork,
  type SharedOptions,
  shared,
} from "./gatherRows";
import { aboutModel, batchSize, encodingModel, type LookOptions, looking } from "./options";
import { type PaperPair, paperEntropyShares } from "./paper";
import { expectLayers, tapPatterns } from "./patterns";
import { type Provenance, resultTable } from "./provenance";

export interface EntropyShareOptions
  extends LookOptions,
    KeepingOptions,
    SharedOptions,
    Omit<Provenance, "data"> {
  /** Default the last ViT block, as in the paper. */
  layer?: string;
  /** Default 16. */
  batchSize?: number;
}

export const entropyShareOptions = optionsOf<EntropyShareOptions>(
  {},
  { ...looking, ...keeping.optional, ...shared.optional, ...aboutModel, layer: text, batchSize },
);

/** How often the background's attention entropy is above the foreground's, set by set. Prints beside the paper's numbers. */
export class EntropyShares {
  constructor(
    /** A row per image: data (the set), image, index, foreground and background (mean entropies, nats; null where
     * the image has no such cell); and the provenance. */
    readonly table: Table,
    readonly shares: Readonly<Record<string, EntropyShare>>,
    readonly layer: string,
    /** "ImageNet-S-50: images 512 to 751": what was not got to before it was stopped. */
    readonly missing: readonly string[] = [],
    /** Images that could not be read, set by set. */
    readonly unreadable: Readonly<Record<string, number>> = {},
  ) {}

  /** Every image has been looked at. */
  get complete(): boolean {
    return this.missing.length === 0;
  }

  toString(): string {
    const head = ["data", "background above foreground", "images", "left out", "paper: ViT", "LUViT"];
    const paper: Record<string, PaperPair> = paperEntropyShares;
    const rows = Object.entries(this.shares).map(([data, { percentBackgroundGreater, counted, skipped }]) => {
      const { ViT, LUViT } = paper[data] ?? {};
      const known = [ViT, LUViT].map((x) => (x === undefined ? "–" : x.toFixed(1)));
      const share = counted === 0 ? "–" : percentBackgroundGreater.toFixed(1);
      return [data, share, String(counted), String(skipped), ...known];
    });
    const title = `share of images, percent, attention entropy of ${this.layer}`;
    const missing = this.missing.map((range) => `not looked at: ${range}`);
    const unread = Object.entries(this.unreadable).flatMap(([data, count]) =>
      describeUnreadable(count).map((text) => `${data}: ${text}`),
    );
    return [title, textTable(head, rows), ...missing, ...unread].join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * The entropy shares of Figures 2, 4 and 5 and every point of their scatter plots, for any number of sets with masks:
 * per image the mean attention entropy of foreground and of background cells, over heads, at one layer. Holds two
 * numbers per image, so ImageNet-S-919 is no burden; `attentionEntropy` keeps every head and patch.
 *
 * With `out` the numbers are kept in `<out>/<name of the set>/entropy` as they come, and `entropy.arrow` beside that folder
 * holds them when the set is done. Resolves early, with what there is, when it is stopped. Shards share that folder; the
 * same call without `shard` then gives the numbers of all, and does what is missing.
 *
 * Sets named "ImageNet-S-50", "ImageNet-S-300", "ImageNet-S-919" print with the paper's numbers.
 *
 * @throws LuvitError("bad-argument") for a set without masks, a layer the model does not have, or an `out` with numbers of
 * another model, or with names of sets that cannot be folders in it.
 * @throws LuvitError("bad-dataset") for a set of which nothing can be read.
 */
export async function entropyShares(
  model: Classifier,
  sets: Readonly<Record<string, ImageDataset>>,
  options: EntropyShareOptions = {},
): Promise<EntropyShares> {
  checkOptions("entropyShares", encodingModel, model);
  checkOptions("entropyShares", named(datasetField), sets);
  checkOptions("entropyShares", entropyShareOptions, options);
  const { layer = lastViTLayer(model), out } = options;
  if (out !== undefined) expectFolderNames("entropyShares", Object.keys(sets));
  const points: RegionPoint[] = [];
  const shares: Record<string, EntropyShare> = {};
  const missing: string[] = [];
  const unreadable: Record<string, number> = {};
  for (const [data, set] of Object.entries(sets)) {
    if (missing.length > 0) {
      missing.push(`${data}: all of it`);
      continue;
    }
    const found = await gatherRows(regionWork(model, set, data, { ...options, layer }));
    const ofSet = found.rows.map((row) => ({ data, ...row }));
    for (const point of ofSet) points.push(point);
    shares[data] = backgroundShare(ofSet);
    unreadable[data] = found.unreadable;
    missing.push(...found.missing.map((range) => `${data}: ${describeMissing(range)}`));
    if (out === undefined || found.missing.length > 0 || (options.shard?.count ?? 1) > 1) continue;
    await writeTable(join(out, data, "entropy.arrow"), tableOfPoints(ofSet, model, { ...options, layer }));
  }
  const table = tableOfPoints(points, model, { ...options, layer });
  return new EntropyShares(table, shares, layer, missing, unreadable);
}

/** Mean entropies of an image. */
type RegionRow = RegionMeans & { image: string; index: number };
type RegionPoint = RegionRow & { data: string };

function tableOfPoints(
  points: readonly RegionPoint[],
  model: Classifier,
  { layer, model: name = model.toString(), recipe, seed }: EntropyShareOptions & { layer: string },
): Table {
  const column = <Key extends keyof RegionPoint>(key: Key) => points.map((point) => point[key]);
  return resultTable(
    {
      data: column("data"),
      layer: points.map(() => layer),
      image: column("image"),
      index: column("index"),
      foreground: column("foreground"),
      background: column("background"),
    },
    { model: name, recipe, seed },
  );
}

function regionWork(
  model: Classifier,
  dataset: ImageDataset,
  data: string,
  {
    layer,
    batchSize = 16,
    out,
    keepEvery,
    signal,
    shard,
    positions,
    graphs,
    ...options
  }: EntropyShareOptions & { layer: string },
): RowWork<RegionRow> {
  return {
    label: "entropy",
    data,
    model,
    dataset,
    out: out === undefined ? undefined : join(out, data),
    keepEvery,
    signal,
    shard,
    facts: { layer },
    forward: { batchSize, positions, graphs, ...engineOf(options) },
    body(images, { context }) {
      const found: Record<string, Tensor> = {};
      const tap = tapPatterns((at, pattern) => {
        found[at] = tf.mean(patchEntropy(pattern), 1);
      });
      model.tokens(images, { ...context, tap });
      expectLayers("entropyShares", [layer], Object.keys(found));
      return { entropy: found[layer] };
    },
    rows: ({ samples, grid, results }) =>
      samples.map(({ path, index, foreground, valid }, i) => {
        const cells = grid.rows * grid.columns;
        const entropy = results.entropy.subarray(i * cells, (i + 1) * cells);
        if (foreground) return { image: path, index, ...regionMeans(entropy, foreground, valid) };
        const message = `entropyShares: ${path} has no mask; open the set with imageNetS`;
        throw new LuvitError("bad-argument", message);
      }),
  };
}
