import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../core/errors";
import { textTable } from "../core/textTable";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import type { EngineOptions } from "../engine";
import type { Classifier } from "../models/classifier";
import { patchCount } from "../models/vit";
import { lastViTLayer } from "./attentionEntropy";
import { engineOf } from "./engineOf";
import { backgroundShare, type EntropyShare, patchEntropy, type RegionMeans, regionMeans } from "./entropy";
import { forwardBatches } from "./forwardBatches";
import { type PaperPair, paperEntropyShares } from "./paper";
import { expectLayers, tapPatterns } from "./patterns";
import { type Provenance, resultTable } from "./provenance";

export interface EntropyShareOptions extends EngineOptions, Omit<Provenance, "data"> {
  /** Default the last ViT block, as in the paper. */
  layer?: string;
  /** Default 16. */
  batchSize?: number;
}

/** How often the background's attention entropy is above the foreground's, set by set. Prints beside the paper's numbers. */
export class EntropyShares {
  constructor(
    /** A row per picture: data (the set), image, index, foreground and background (mean entropies, nats; null where
     * the picture has no such cell); and the provenance. */
    readonly table: Table,
    readonly shares: Readonly<Record<string, EntropyShare>>,
    readonly layer: string,
  ) {}

  toString(): string {
    const head = ["data", "background above foreground", "pictures", "left out", "paper: ViT", "LUViT"];
    const paper: Record<string, PaperPair> = paperEntropyShares;
    const rows = Object.entries(this.shares).map(([data, { percentBackgroundGreater, counted, skipped }]) => {
      const { ViT, LUViT } = paper[data] ?? {};
      const known = [ViT, LUViT].map((x) => (x === undefined ? "–" : x.toFixed(1)));
      return [data, percentBackgroundGreater.toFixed(1), String(counted), String(skipped), ...known];
    });
    return `share of pictures, percent, attention entropy of ${this.layer}\n${textTable(head, rows)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * The entropy shares of Figures 2, 4 and 5 and every point of their scatter plots, for any number of sets with masks:
 * per picture the mean attention entropy of foreground and of background cells, over heads, at one layer. Holds two
 * numbers per picture, so ImageNet-S-919 is no burden; `attentionEntropy` keeps every head and patch.
 *
 * Sets named "ImageNet-S-50", "ImageNet-S-300", "ImageNet-S-919" print with the paper's numbers.
 *
 * @throws LuvitError("bad-argument") for a set without masks, or a layer the model does not have.
 */
export async function entropyShares(
  model: Classifier,
  sets: Readonly<Record<string, ImageDataset>>,
  options: EntropyShareOptions = {},
): Promise<EntropyShares> {
  const { layer = lastViTLayer(model), model: name = model.toString(), recipe, seed } = options;
  const points: (RegionMeans & { data: string; image: string; index: number })[] = [];
  for (const [data, set] of Object.entries(sets)) {
    for await (const point of regionPoints(model, set, layer, options)) points.push({ data, ...point });
  }
  const column = <Key extends keyof (typeof points)[number]>(key: Key) => points.map((point) => point[key]);
  const table = resultTable(
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
  const shares = Object.keys(sets).map((data) => [
    data,
    backgroundShare(points.filter((p) => p.data === data)),
  ]);
  return new EntropyShares(table, Object.fromEntries(shares), layer);
}

async function* regionPoints(
  model: Classifier,
  set: ImageDataset,
  layer: string,
  { batchSize = 16, ...options }: EntropyShareOptions,
): AsyncGenerator<RegionMeans & { image: string; index: number }> {
  const body = (images: Tensor) => {
    const found: Record<string, Tensor> = {};
    const tap = tapPatterns((at, pattern) => {
      found[at] = tf.mean(patchEntropy(pattern), 1);
    });
    model.tokens(images, { tap });
    expectLayers("entropyShares", [layer], Object.keys(found));
    return { entropy: found[layer] };
  };
  const cells = patchCount(model.encoder.config);
  const wish = { batchSize, ...engineOf(options) };
  for await (const { samples, results } of forwardBatches(model, set, body, wish)) {
    for (const [i, { path, index, foreground, valid }] of samples.entries()) {
      if (!foreground) {
        throw new LuvitError(
          "bad-argument",
          `entropyShares: ${path} has no mask; open the set with imageNetS`,
        );
      }
      const entropy = results.entropy.subarray(i * cells, (i + 1) * cells);
      yield { image: path, index, ...regionMeans(entropy, foreground, valid) };
    }
  }
}
