import { backgroundShare, patchEntropy, type RegionMeans, regionMeans } from "../../src/analysis/entropy";
import { type Body, forwardBatches } from "../../src/analysis/forwardBatches";
import { tapPatterns } from "../../src/analysis/patterns";
import { type Tensor, tf } from "../../src/core/tf";
import type { ImageDataset } from "../../src/data/dataset";
import type { Classifier } from "../../src/models/classifier";

/** Entropies are taken per head and then averaged, as in the paper, or of the pattern that is the mean over heads. */
export const entropyKinds = ["mean over heads", "of the mean pattern"] as const;
export type EntropyKind = (typeof entropyKinds)[number];

/** Mean entropies of an image's foreground and background at one layer. */
export interface RegionRow extends RegionMeans {
  index: number;
  layer: string;
  kind: EntropyKind;
}

/** Of every image, at every layer with attention, by both ways of taking the entropy. */
export async function regionEntropies(
  model: Classifier,
  images: ImageDataset,
  { batchSize = 30, threads = 1 } = {},
): Promise<RegionRow[]> {
  const name = (layer: string, kind: EntropyKind) => `${layer}|${kind}`;
  const body: Body = (batch, { context }) => {
    const found: Record<string, Tensor> = {};
    const tap = tapPatterns((layer, pattern) => {
      found[name(layer, "mean over heads")] = tf.mean(patchEntropy(pattern), 1);
      found[name(layer, "of the mean pattern")] = tf.squeeze(patchEntropy(tf.mean(pattern, 1, true)), [1]);
    });
    model.tokens(batch, { ...context, tap });
    return found;
  };
  const rows: RegionRow[] = [];
  for await (const { samples, grid, results } of forwardBatches(model, images, body, {
    batchSize,
    threads,
  })) {
    const cells = grid.rows * grid.columns;
    for (const [key, values] of Object.entries(results)) {
      const [layer, kind] = key.split("|") as [string, EntropyKind];
      for (const [i, { index, foreground, valid }] of samples.entries()) {
        const entropy = values.subarray(i * cells, (i + 1) * cells);
        rows.push({ index, layer, kind, ...regionMeans(entropy, foreground!, valid) });
      }
    }
  }
  return rows;
}

/** Percent of images whose background has the higher mean entropy, for each layer and kind that is there. */
export function sharesOf(rows: readonly RegionRow[]): { layer: string; kind: EntropyKind; share: number }[] {
  const groups = new Map<string, RegionRow[]>();
  for (const row of rows) {
    const key = `${row.layer}|${row.kind}`;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()].map((group) => ({
    layer: group[0].layer,
    kind: group[0].kind,
    share: backgroundShare(group).percentBackgroundGreater,
  }));
}
