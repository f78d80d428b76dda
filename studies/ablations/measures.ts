import { train } from "../../src";
import { mean } from "../../src/core/mean";
import type { ImageDataset } from "../../src/data/dataset";
import type { Classifier } from "../../src/models/classifier";
import { regionEntropies, sharesOf } from "../core/regions";
import type { Measure } from "../core/study";
import type { StudyDrawings } from "./drawings";

/** Models are so small that a second thread mostly waits for the first; one gives the same bits on every number of cores. */
export const ENGINE = { threads: 1 } as const;
const BATCH = 60;

export const TOP1 = "top-1 (%)";
export const CORRUPTION_ERROR = "corruption error (%)";
export const BACKGROUND_GAP = "background gap (points)";
export const ENTROPY_SHARE = "background entropy above (% of images)";
export const MEAN_PATTERN_SHARE = "background entropy above, of the mean pattern (% of images)";

/** The numbers of Tables 3 to 5 and of Figure 2 for one model. */
export async function measured(
  variant: string,
  model: Classifier,
  images: StudyDrawings,
): Promise<Measure[]> {
  const top1 = async (set: ImageDataset) =>
    (await train.evaluate(model, set, { ...ENGINE, batchSize: BATCH })).top1;
  const measure = (metric: string, value: number, layer?: string): Measure => ({
    variant,
    metric,
    layer,
    value,
  });
  const found = [measure(TOP1, await top1(images.val))];
  const errors: Measure[] = [];
  for (const [type, sets] of images.corrupted) {
    const rights: number[] = [];
    for (const set of sets) rights.push(await top1(set));
    errors.push(measure(`${CORRUPTION_ERROR}, by type`, 100 - mean(rights), type));
  }
  found.push(measure(CORRUPTION_ERROR, mean(errors.map(({ value }) => value))), ...errors);
  const [original, same, rand] = [
    await top1(images.swapped.original),
    await top1(images.swapped.mixed_same),
    await top1(images.swapped.mixed_rand),
  ];
  found.push(
    measure("original (%)", original),
    measure("mixed same (%)", same),
    measure("mixed rand (%)", rand),
  );
  found.push(measure(BACKGROUND_GAP, same - rand));
  const layer = `blocks.${model.encoder.config.depth - 1}`;
  for (const share of sharesOf(await regionEntropies(model, images.val, ENGINE))) {
    const metric = share.kind === "mean over heads" ? ENTROPY_SHARE : MEAN_PATTERN_SHARE;
    if (share.layer === layer) found.push(measure(metric, share.share));
    found.push(measure(`${metric}, by layer`, share.share, share.layer));
  }
  const { trainable, total } = model.counts();
  found.push(measure("parameters trained (k)", trainable / 1e3), measure("parameters (k)", total / 1e3));
  return found;
}
