import { inspect } from "node:util";
import { checkOptions, list, oneOf, optionsOf, such, text } from "../../core/options";
import { textTable } from "../../core/textTable";
import { type Tensor, tf } from "../../core/tf";
import type { ImageDataset } from "../../data/dataset";
import { expectSquares } from "../../data/expectSquares";
import type { EngineOptions } from "../../engine";
import { type Classifier, classifierField } from "../../models/classifier";
import { expectClasses } from "../../train/checkSizes";
import { forwardBatches } from "../forwardBatches";
import { describeMissing, describeUnreadable, gatherRows, type KeepingOptions, keeping } from "../gatherRows";
import type { ImageRange } from "../keptRanges";
import { checkLooked, type LookOptions, looking, provenance } from "../options";
import { columnsOf, type Provenance, type ResultTable, resultTable } from "../provenance";
import { forAnswer } from "../stages";
import { meanWithInterval } from "../statistics";
import { layerOfHeads } from "./edits";
import { type HeadLayers, headsOf } from "./heads";
import { logitsWithoutEach } from "./withoutEach";

export interface AblateHeadsOptions extends LookOptions, KeepingOptions, Provenance {
  /** Layers whose heads are switched off, e.g. ["blocks.11"]; default all, the language model's block among them. */
  layers?: readonly string[];
  /** What stands in a head's place: zero, or its mean over the set at each token. Default "zero". */
  replaceBy?: "zero" | "mean";
}

const ablateHeadsOptions = optionsOf<AblateHeadsOptions>(
  {},
  {
    ...looking,
    ...keeping.optional,
    ...provenance.optional,
    layers: list(text, 1),
    replaceBy: oneOf(["zero", "mean"]),
  },
);

/** One image without one head (head -1: whole); the margin is the label's logit minus the largest other. */
interface Row extends Record<string, string | number> {
  readonly index: number;
  readonly layer: string;
  readonly head: number;
  readonly margin: number;
  readonly right: number;
}

/** What each head is worth. Prints as the heads that matter most. */
export class HeadAblation {
  /**
   * A row per head: layer, head, images, accuracy (percent without it), accuracyDrop (points), marginDrop (mean of the
   * logit margin with it minus without it; positive where it helps), low and high (95 % of the mean).
   */
  readonly table: ResultTable;
  /** Percent, nothing switched off. */
  readonly accuracy: number;

  constructor(
    rows: readonly Row[],
    heads: HeadLayers,
    from: Provenance,
    /** Ranges of images that were not got to. */
    readonly missing: readonly ImageRange[],
    /** Images that could not be read. */
    readonly unreadable = 0,
  ) {
    checkOptions("HeadAblation", such("rows, from analysis.ablateHeads", Array.isArray), rows);
    const whole = new Map(rows.filter(({ head }) => head < 0).map((row) => [row.index, row]));
    const percent = (some: readonly Row[]) =>
      (100 * some.reduce((sum, { right }) => sum + right, 0)) / some.length;
    this.accuracy = percent([...whole.values()]);
    const found = heads.places.map(({ layer, head }) => {
      const own = rows.filter((row) => row.layer === layer && row.head === head);
      const drops = own.map(({ index, margin }) => whole.get(index)!.margin - margin);
      const { mean: marginDrop, low, high } = meanWithInterval(drops);
      const accuracy = own.length > 0 ? percent(own) : null;
      const accuracyDrop = accuracy === null ? null : this.accuracy - accuracy;
      return { layer, head, images: own.length, accuracy, accuracyDrop, marginDrop, low, high };
    });
    const names = [
      "layer",
      "head",
      "images",
      "accuracy",
      "accuracyDrop",
      "marginDrop",
      "low",
      "high",
    ] as const;
    this.table = resultTable(columnsOf(found, names), from);
  }

  toString(): string {
    const rows = this.table.toArray().filter(({ marginDrop }) => marginDrop !== null);
    const first = rows.sort((a, b) => b.marginDrop - a.marginDrop).slice(0, 10);
    const cells = first.map(({ layer, head, accuracyDrop, marginDrop }) => [
      layer,
      String(head),
      accuracyDrop.toFixed(1),
      marginDrop.toFixed(3),
    ]);
    const left = this.missing.map(describeMissing).join(", ");
    return [
      `${this.accuracy.toFixed(1)} % right with all heads; the ten that help most:`,
      textTable(["layer", "head", "accuracy drop", "margin drop"], cells),
      ...(left ? [`not got to: ${left}`] : []),
      ...describeUnreadable(this.unreadable),
    ].join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Switches off every head of a classifier, one by one, over a set with labels, and counts what is lost: at the input of the
 * output projection, whose bias stays, at all tokens. Image by image in one graph: what comes before a layer is computed once,
 * what comes behind it once per head of it, all heads at a time. That is still half a pass per head of the ViT and a block's
 * feed-forward per head of the block, so choose a few hundred images. With `out` it goes on where it was stopped.
 *
 * @throws LuvitError("bad-argument") for layers the model does not have, images or labels that do not fit it, or kept rows of
 * another model or other settings.
 * @throws LuvitError("bad-dataset") for a set of which nothing can be read.
 * Reference: Michel et al. 2019, "Are sixteen heads really better than one?", section 3.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * console.log(await luvit.analysis.ablateHeads(model, images.take(4), { layers: ["blocks.3"] }));
 */
export async function ablateHeads(
  model: Classifier,
  dataset: ImageDataset,
  options: AblateHeadsOptions = {},
): Promise<HeadAblation> {
  checkOptions("ablateHeads", classifierField, model);
  checkLooked("ablateHeads", model, dataset);
  checkOptions("ablateHeads", ablateHeadsOptions, options);
  expectClasses(dataset, model.classes, "ablateHeads");
  const { layers, replaceBy = "zero", out, keepEvery = 4, signal, ...rest } = options;
  const { model: name = model.toString(), data, recipe, seed, ...engine } = rest;
  const heads = headsOf(model, "ablateHeads", layers);
  if (replaceBy === "mean")
    expectSquares(
      dataset,
      'ablateHeads with replaceBy: "mean", a mean by place,',
      model.encoder.config.imageSize,
    );
  const fill = replaceBy === "mean" ? await meanHeads(model, dataset, heads, engine) : undefined;
  const { rows, missing, unreadable } = await gatherRows<Row>({
    model,
    dataset,
    label: "heads",
    data,
    out,
    keepEvery,
    signal,
    facts: { layers: heads.layers, replaceBy },
    body: (images, { context }) => {
      const whole = model.forward(images, { ...context, ...forAnswer(model) });
      const means = fill && constants(fill);
      return { [WHOLE]: whole, ...logitsWithoutEach(model, images, heads, context, means) };
    },
    rows: ({ samples, results }) =>
      samples.flatMap(({ index, label }) => {
        const row = (layer: string, head: number) => ({
          index,
          layer,
          head,
          ...marginOf(results[layer], Math.max(0, head), model.classes, label),
        });
        return [row(WHOLE, -1), ...heads.places.map(({ layer, head }) => row(layer, head))];
      }),
    // The heads are the batch.
    forward: { batchSize: 1, anyTokens: true, ...engine },
  });
  return new HeadAblation(rows, heads, { model: name, data, recipe, seed }, missing, unreadable);
}

/** Name of the logits with all heads. */
const WHOLE = "whole";

function marginOf(logits: Float32Array, row: number, classes: number, label: number) {
  const own = logits.subarray(row * classes, (row + 1) * classes);
  let other = Number.NEGATIVE_INFINITY;
  for (const [k, x] of own.entries()) if (k !== label) other = Math.max(other, x);
  const margin = own[label] - other;
  return { margin, right: Number(margin > 0) };
}

/** Means of the heads' values over a set, [1, H, T, C] each. */
type MeanHeads = ReadonlyMap<string, { readonly shape: number[]; readonly data: Float32Array }>;

function constants(fill: MeanHeads): Map<string, Tensor> {
  return new Map([...fill].map(([layer, { data, shape }]) => [layer, tf.tensor(data, shape)]));
}

async function meanHeads(
  model: Classifier,
  dataset: ImageDataset,
  { layers }: HeadLayers,
  options: EngineOptions,
): Promise<MeanHeads> {
  const shapes = new Map<string, number[]>();
  const body = (images: Tensor) => {
    const found: Record<string, Tensor> = {};
    const tap = (name: string, value: Tensor) => {
      const layer = layerOfHeads(name);
      if (layer === undefined || !layers.includes(layer)) return;
      shapes.set(layer, [1, ...value.shape.slice(1)]);
      found[layer] = value;
    };
    model.forward(images, { ...forAnswer(model), tap });
    return found;
  };
  const sums = new Map<string, Float64Array>();
  let count = 0;
  for await (const { samples, size, results } of forwardBatches(model, dataset, body, {
    batchSize: 4,
    ...options,
    anyTokens: true,
  })) {
    count += samples.length;
    for (const [layer, values] of Object.entries(results)) {
      const width = values.length / size;
      const sum = sums.get(layer) ?? new Float64Array(width);
      for (let i = 0; i < samples.length * width; i++) sum[i % width] += values[i];
      sums.set(layer, sum);
    }
  }
  return new Map(
    [...sums].map(([layer, sum]) => [
      layer,
      { shape: shapes.get(layer)!, data: Float32Array.from(sum, (x) => x / count) },
    ]),
  );
}
