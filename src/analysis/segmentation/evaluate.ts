import { join } from "node:path";
import { checkOptions, oneOf, optionsOf } from "../../core/options";
import { shardRange } from "../../data/dataset";
import { type Shard, shardOptions } from "../../data/options";
import { type MaskedDataset, maskedField } from "../../data/segmentation";
import type { EngineOptions } from "../../engine";
import { readTable, writeTable } from "../../io/tables";
import { type Segmenter, segmenterField } from "../../models/segmenter";
import { expectImageSize } from "../../train/checkSizes";
import { expectMaskClasses } from "../../train/segment";
import { engineOf } from "../engineOf";
import { describeMissing, expectSameWork, type KeepingOptions, keeping } from "../gatherRows";
import { gapsIn, joined, keepRange, keptRanges, piecesOf } from "../keptRanges";
import { aboutModel, batchSize, count, engine } from "../options";
import type { Provenance } from "../provenance";
import { countPieces } from "./countPieces";
import { countsFrom, countsTable } from "./countsTable";
import { addCounts, emptyCounts } from "./meter";
import { squares, wholeImages } from "./prepare";
import { SegmentationEvaluation } from "./result";
import { ShapedForwards } from "./shapedForwards";

/** How a segmenter is scored. */
export interface SegmentationOptions extends EngineOptions, KeepingOptions, Provenance {
  /**
   * "whole" (default): whole images, as ImageNet-S is scored. "square": images and masks as the set's transform cuts them,
   * which is faster and another number.
   */
  protocol?: "whole" | "square";
  /** Of whole images, pixels that the shorter side is resized to; default the model's size / 0.875: 256 for 224. */
  shorterSide?: number;
  /** Images of one shape at a time; default 4. */
  batchSize?: number;
  /** Graphs that are kept, one for each shape of images, each with the model's weights; default 4. */
  graphs?: number;
  /** Only this share of the images, so that several machines can work at once; default all. */
  shard?: Shard;
}

export const segmentationOptions = optionsOf<SegmentationOptions>(
  {},
  {
    ...engine,
    ...aboutModel,
    ...keeping.optional,
    data: keeping.optional.out,
    protocol: oneOf(["whole", "square"]),
    shorterSide: count,
    batchSize,
    graphs: count,
    shard: shardOptions,
  },
);

/** Images whose counts are written together, and lost together where an evaluation is stopped. */
const KEEP_EVERY = 256;

/**
 * Scores a segmenter on ImageNet-S, or a set like it: mIoU over all classes and "other", F, by size of the objects, along
 * borders. Images of one shape are computed together. With `out` the counts are kept in `<out>/segmentation` as they come: an evaluation
 * that was stopped goes on there to the same numbers. Shards keep theirs in a folder that they share, or whose files
 * are copied together; the same call without `shard` then gives the numbers of all.
 *
 * Reference: LUSSeg/ImageNetSegModel engine_segfinetune.py; LUSSeg/ImageNet-S evaluation.
 *
 * @throws LuvitError("bad-argument") for a set of other classes than the model's, or an `out` with counts of something else.
 *
 * @example
 * const set = await luvit.data.imageNetS({
 *   images: "data/shapes/val",
 *   masks: "data/shapes/segmentation/validation",
 *   patch: 8,
 *   transform: luvit.data.transforms.none(64),
 * });
 * const model = luvit.segmenter.create({ encoder: luvit.vit.toy, classes: 7 });
 * console.log(String(await luvit.benchmark.segmentation(model, set.take(6))));
 */
export async function segmentation(
  model: Segmenter,
  dataset: MaskedDataset,
  options: SegmentationOptions = {},
): Promise<SegmentationEvaluation> {
  checkOptions("segmentation", segmenterField, model);
  checkOptions("segmentation", maskedField, dataset);
  checkOptions("segmentation", segmentationOptions, options);
  const { imageSize } = model.encoder.config;
  const { protocol = "whole", shorterSide = Math.floor(imageSize / 0.875) } = options;
  const { out, batchSize = 4, graphs = 4, shard = { index: 1, count: 1 }, data } = options;
  expectMaskClasses(dataset, model, "segmentation");
  if (protocol === "square") expectImageSize(dataset, imageSize, "segmentation");
  const folder = out === undefined ? undefined : join(out, "segmentation", "kept");
  const facts = {
    protocol,
    ...(protocol === "whole" ? { shorterSide } : { transform: dataset.transform.name }),
  };
  if (out !== undefined)
    await expectSameWork(join(out, "segmentation", "facts.json"), { model, dataset, data, facts });
  const share = shardRange(dataset.length, shard);
  const counts = emptyCounts(model.classes);
  const kept = (folder === undefined ? [] : keptRanges(folder)).filter(
    ({ start, end }) => start >= share.start && end <= share.end,
  );
  for (const { file } of kept) addCounts(counts, countsFrom(await readTable(file), model.classes));
  const forwards = new ShapedForwards(model, Math.min(batchSize, dataset.length), graphs, engineOf(options));
  const prepare = protocol === "square" ? squares(dataset) : wholeImages(dataset, model, shorterSide);
  const pieces = gapsIn(share, kept).flatMap((gap) => [...piecesOf(gap, options.keepEvery ?? KEEP_EVERY)]);
  const work = { classes: model.classes, prepare, forwards, batchSize, pieces, data, signal: options.signal };
  const missing = await countPieces({ ...work, total: share.end - share.start }, async (piece, fresh) => {
    if (folder !== undefined) await keepRange(folder, piece, countsTable(fresh));
    addCounts(counts, fresh);
  }).finally(() => forwards.dispose());
  const result = new SegmentationEvaluation(counts, {
    classes: dataset.classes,
    about: { model: options.model ?? model.toString(), data, recipe: options.recipe, seed: options.seed },
    protocol:
      protocol === "whole"
        ? `whole images, shorter side ${shorterSide}`
        : `squares of ${imageSize} px, which is not ImageNet-S's protocol`,
    shapes: Object.fromEntries(forwards.shapes),
    missing: joined(missing).map(describeMissing),
    unreadable: dataset.report.skipped.map(({ reason }) => reason),
  });
  if (out !== undefined && missing.length === 0 && shard.count === 1)
    await writeTable(join(out, "segmentation", "segmentation.arrow"), result.table);
  return result;
}
