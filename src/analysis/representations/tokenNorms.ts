import { inspect } from "node:util";
import { checkOptions, list, number, optionsOf } from "../../core/options";
import { textTable } from "../../core/textTable";
import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import type { MaskedAutoencoder } from "../../models/mae";
import { columnsOf, tableOf } from "../columns";
import { type Body, forwardBatches } from "../forwardBatches";
import { type GivenImages, givenImages, readable } from "../givenImages";
import { batchSize, encodingModel, type LookOptions, looking } from "../options";
import type { ResultTable } from "../provenance";
import { stagesOf } from "../stages";
import { median, shareAbove } from "./norms";

export interface TokenNormOptions extends LookOptions {
  /** A patch sticks out whose norm is above this many medians of its image; default 3. */
  above?: readonly number[];
  /** Images at a time; default 8. */
  batchSize?: number;
}

const tokenNormOptions = optionsOf<TokenNormOptions>(
  {},
  { ...looking, above: list(number(0, 1e6), 1), batchSize },
);

/** Patches that stick out, place by place. Prints as a table. */
export class TokenNorms {
  constructor(
    /**
     * A row per place and border: place, layer (the one that reads the place; null at the end), above (medians), images,
     * median and largest norm (means over images), share (of the patches above the border), drawn (share of the patches'
     * attention in `layer` that goes to them), classToken (share that goes to the class
     * token; null where there is none).
     */
    readonly table: ResultTable,
    /** Norms of all patches by place, image after image: [images × P] for images of one shape. */
    readonly norms: ReadonlyMap<string, Float32Array>,
  ) {}

  toString(): string {
    const columns = ["place", "above", "median", "largest", "share", "drawn", "classToken"];
    const cell = (value: unknown) =>
      typeof value === "number" ? String(Number(value.toPrecision(4))) : value === null ? "–" : String(value);
    const rows = this.table.toArray().map((row) => columns.map((column) => cell(row[column])));
    return textTable(columns, rows);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

interface Place {
  readonly place: string;
  readonly layer: string | null;
}

/**
 * Whether tokens stick out, where on their way, and what attention they draw: norms of the patch tokens before every layer
 * and at the end, share above some medians, and the share of the patches' attention, mean over heads, that goes to them.
 * Reference: Darcet et al. 2024, "Vision transformers need registers".
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * console.log(await luvit.analysis.tokenNorms(model, images.take(4), { above: [2, 3] }));
 */
export async function tokenNorms(
  model: Classifier | MaskedAutoencoder,
  images: GivenImages,
  options: TokenNormOptions = {},
): Promise<TokenNorms> {
  checkOptions("tokenNorms", encodingModel, model);
  checkOptions("tokenNorms", givenImages, images);
  checkOptions("tokenNorms", tokenNormOptions, options);
  const { above = [3], batchSize = 8, ...engine } = options;
  const { firstPatch } = model.encoder;
  const stages = stagesOf(model);
  const last = stages.at(-1)!.output.startsWith("llama.") ? "fusion.out" : stages.at(-1)!.output;
  const places: Place[] = [
    ...stages.map(({ input, layer }) => ({ place: input, layer })),
    { place: last, layer: null },
  ];
  const body: Body = (fed, { context, grid }) => {
    const patches = grid.rows * grid.columns;
    const seen = new Map<string, Tensor>();
    model.encoder.tokens(fed, { ...context, tap: (name, value) => void seen.set(name, value) });
    const results: Record<string, Tensor> = {};
    for (const { place } of places) results[place] = tf.sqrt(tf.sum(tf.square(seen.get(place)!), 2));
    for (const { layer, pattern } of stages)
      results[`${layer} attention`] = attentionToKeys(seen.get(pattern)!, firstPatch, patches);
    return results;
  };
  const gathered = new Map<string, Float32Array[]>();
  const set = readable(images, model.encoder.config.imageSize);
  for await (const { samples, size, grid, results } of forwardBatches(model, set, body, {
    batchSize,
    anyTokens: true,
    ...engine,
  })) {
    const tokens = firstPatch + grid.rows * grid.columns;
    for (const [name, values] of Object.entries(results)) {
      const width = values.length / size;
      const rows = samples.map((_, i) => values.slice(i * width, i * width + tokens));
      gathered.set(name, [...(gathered.get(name) ?? []), ...rows]);
    }
  }
  const rows = places.flatMap((place) => above.map((border) => rowOf(place, border, gathered, firstPatch)));
  const names = [
    "place",
    "layer",
    "above",
    "images",
    "median",
    "largest",
    "share",
    "drawn",
    "classToken",
  ] as const;
  const table = tableOf(columnsOf(rows, names));
  const norms = places.map(({ place }): [string, Float32Array] => [
    place,
    Float32Array.from((gathered.get(place) ?? []).flatMap((row) => Array.from(row.subarray(firstPatch)))),
  ]);
  return new TokenNorms(table, new Map(norms));
}

/** Share of the patches' attention that each key gets, mean over heads and patch queries: [B, H, T, T] -> [B, T]. */
function attentionToKeys(pattern: Tensor, firstPatch: number, patches: number): Tensor {
  const [batch, heads, tokens] = pattern.shape as [number, number, number, number];
  return tf.mean(tf.slice(pattern, [0, 0, firstPatch, 0], [batch, heads, patches, tokens]), [1, 2]);
}

interface Row extends Place {
  readonly above: number;
  readonly images: number;
  readonly median: number | null;
  readonly largest: number | null;
  readonly share: number | null;
  readonly drawn: number | null;
  readonly classToken: number | null;
}

function rowOf(
  place: Place,
  above: number,
  gathered: ReadonlyMap<string, Float32Array[]>,
  firstPatch: number,
): Row {
  const norms = (gathered.get(place.place) ?? []).map((row) => row.subarray(firstPatch));
  const attention = gathered.get(`${place.layer} attention`);
  const mean = (values: readonly number[]) =>
    values.length === 0 ? null : values.reduce((sum, x) => sum + x / values.length, 0);
  const drawn = attention?.map((keys, image) => {
    const border = above * median(norms[image]);
    return norms[image].reduce((sum, norm, patch) => sum + (norm > border ? keys[patch + firstPatch] : 0), 0);
  });
  return {
    ...place,
    above,
    images: norms.length,
    median: mean(norms.map(median)),
    largest: mean(norms.map((row) => row.reduce((a, b) => Math.max(a, b)))),
    share: mean(norms.map((row) => shareAbove(row, above))),
    drawn: drawn ? mean(drawn) : null,
    classToken: attention && firstPatch > 0 ? mean(attention.map((keys) => keys[0])) : null,
  };
}
