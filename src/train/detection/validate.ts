import { LuvitError } from "../../core/errors";
import { breathe } from "../../core/loop";
import { Rng } from "../../core/rng";
import type {
  CocoAnnotations,
  CocoKind,
  CocoResult,
  DetectionDataset,
  DetectionSample,
} from "../../data/coco";
import { loadIfReadable } from "../../data/unreadable";
import type { Detector } from "../../models/detector/detector";
import type { Sharing } from "../agreement";
import { expectClassOrder, expectImageSize } from "../checkSizes";
import { byScore, precisionCurve } from "./accumulate";
import type { ObjectFinder } from "./finder";
import { Groups } from "./groups";
import { areaRanges, countTruths, iouThresholds, matchGroup, verdictOf } from "./match";

/** What a set has to fit. */
export type Asked = Pick<Detector, "settings" | "classes" | "classNames">;

/**
 * @throws LuvitError("bad-argument") for images that a detector cannot be asked about: of another size, with other classes,
 * or cut and mirrored at random, where boxes found could not be put back.
 */
export function expectHeldOut(dataset: DetectionDataset, model: Asked, where: string): void {
  expectImageSize(dataset, model.settings.encoder.imageSize, where);
  expectSameClasses(dataset, model, where);
  const { spec } = dataset.transform;
  if (spec.kind === "fit") return;
  const advice = `open it with transform: data.transforms.fitSquare(${dataset.size})`;
  throw new LuvitError(
    "bad-argument",
    `${where}: the set's images are cut and mirrored at random, so what is found in them has no place in the image; ${advice}`,
  );
}

/** @throws LuvitError("bad-argument") for other classes than the detector's: what it finds would have no category, or a wrong one. */
function expectSameClasses(dataset: DetectionDataset, model: Asked, where: string): void {
  const { classes } = dataset;
  if (classes.length !== model.classes) {
    const counts = `the set has ${classes.length} classes, the detector tells ${model.classes} apart`;
    throw new LuvitError("bad-argument", `${where}: ${counts}; give a set with the classes it was made for`);
  }
  expectClassOrder(dataset, model, where);
  const { classNames } = model;
  const other = classNames ? classes.findIndex((name, label) => name !== classNames[label]) : -1;
  if (other < 0) return;
  const names = `class ${other} is ${classNames![other]} for the detector, ${classes[other]} in the set`;
  throw new LuvitError("bad-argument", `${where}: the classes are others: ${names}`);
}

/** What is found in an image, as COCO has it; nothing in one that cannot be read. */
export async function resultsOf(
  finder: ObjectFinder,
  dataset: DetectionDataset,
  index: number,
): Promise<CocoResult[]> {
  const sample = (await loadIfReadable(dataset, index, new Rng(0))) as DetectionSample | undefined;
  if (!sample) return [];
  const { height, width } = dataset.truth.image(sample.imageId);
  const image = { values: sample.image, covered: sample.geometry.covered, original: { height, width } };
  const { boxes, scores, labels, masks } = await finder.find(image);
  return Array.from(scores, (score, i) => {
    const [x0, y0, x1, y1] = boxes.subarray(4 * i, 4 * i + 4);
    const categoryId = dataset.truth.categories[labels[i]].id;
    const result = { imageId: sample.imageId, categoryId, score, box: [x0, y0, x1 - x0, y1 - y0] as const };
    return masks ? { ...result, mask: masks[i] } : result;
  });
}

/** COCO's AP of a whole set in percent: `boxAP`, and `maskAP` where the detector draws masks. Each takes some images. */
export async function validate(
  finder: ObjectFinder,
  dataset: DetectionDataset,
  masks: boolean,
  sharing: Sharing,
): Promise<Record<string, number>> {
  const { rank, size } = sharing;
  const own: CocoResult[][] = [];
  for (let index = rank; index < dataset.length; index += size) {
    own.push(await resultsOf(finder, dataset, index));
    await breathe();
  }
  const all = await sharing.gather(own);
  const results = Array.from(
    { length: dataset.length },
    (_, i) => all[i % size][Math.floor(i / size)],
  ).flat();
  const truth = dataset.truth.only(dataset.images.map(({ id }) => id));
  const boxAP = await averagePrecision(truth, results, "bbox");
  return masks ? { boxAP, maskAP: await averagePrecision(truth, results, "segm") } : { boxAP };
}

/** Mean over classes with objects, overlaps and recalls, percent; at most 100 results of an image and class count. */
export async function averagePrecision(
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  kind: CocoKind,
): Promise<number> {
  const groups = new Groups(truth, results, kind, 100);
  const ofClasses: number[] = [];
  for (let label = 0; label < groups.classes; label++) {
    const all = [...groups.of(label)];
    const truths = all.reduce((sum, group) => sum + countTruths(group, areaRanges.all), 0);
    if (truths === 0) continue;
    const scores = Float64Array.from(all.flatMap((group) => group.results.map(({ score }) => score)));
    const order = byScore(scores);
    const matches = all.map((group) => matchGroup(group, areaRanges.all, iouThresholds));
    for (const threshold of iouThresholds.keys()) {
      const verdicts = matches.flatMap((match) =>
        Array.from(match[threshold].taken.keys(), (place) => verdictOf(match[threshold], place)),
      );
      const curve = precisionCurve({ scores, verdicts: Uint8Array.from(verdicts) }, order, truths);
      ofClasses.push(meanOf(curve.precision));
    }
    await breathe();
  }
  return 100 * meanOf(ofClasses);
}

/** NaN of nothing. */
const meanOf = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
