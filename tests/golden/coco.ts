import { readFileSync } from "node:fs";
import { join } from "node:path";
import { evaluate } from "../../src/analysis/detection/evaluate";
import {
  type BoxXywh,
  boxIou,
  decodeMask,
  encodeMask,
  maskArea,
  maskBox,
  maskIou,
  type Rle,
  rasterizePolygons,
  rleFromText,
  rleText,
} from "../../src/core/masks";
import { type CocoAnnotations, type CocoKind, readAnnotations, readResults } from "../../src/data/coco";
import { arraysOf } from "./cocoArrays";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { type GoldenTensors, load } from "./support";

/** The `coco` case: masks, polygons, overlaps, scores with whole curves, and COCO's files. */
export const runCoco: CaseRunner = async (folder, meta) => {
  const golden = load(folder, "tensors.safetensors");
  const masks = JSON.parse(readFileSync(join(folder, "masks.json"), "utf8")) as MaskFile;
  const truth = await readAnnotations(join(folder, "annotations.json"));
  return [
    ...masks.rle.flatMap((one) => runChecks(one, golden)),
    ...masks.polygons.flatMap((one) => polygonChecks(one, golden)),
    ...(await kindChecks("bbox", folder, truth, golden, meta)),
    ...(await kindChecks("segm", folder, truth, golden, meta)),
  ];
};

interface Told {
  name: string;
  counts: string;
  area: number;
  bbox: BoxXywh;
}
interface MaskFile {
  rle: (Told & { size: [number, number]; counts_list: number[] })[];
  polygons: (Told & { polygons: number[][]; height: number; width: number })[];
}

const exact = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): Check => ({
  name,
  error: maxAbsError(actual, expected),
  tolerance: 0,
});
const same = (name: string, actual: string, expected: string): Check => ({
  name,
  error: actual === expected ? 0 : 1,
  tolerance: 0,
});

function maskChecks(rle: Rle, told: Told, name: string, golden: GoldenTensors): Check[] {
  return [
    same(`${name} as text`, rleText(rle), told.counts),
    exact(`${name} pixels`, decodeMask(rle), golden.get(name)!.data),
    exact(`${name} area`, [maskArea(rle)], [told.area]),
    exact(`${name} box`, maskBox(rle), told.bbox),
  ];
}

function runChecks(told: MaskFile["rle"][number], golden: GoldenTensors): Check[] {
  const name = `rle_${told.name}`;
  const encoded = encodeMask(golden.get(name)!.data, ...told.size);
  const read = rleFromText(told.counts, ...told.size);
  return [
    exact(`${name} encoded`, encoded.counts, told.counts_list),
    exact(`${name} read`, read.counts, told.counts_list),
    ...maskChecks(read, told, name, golden),
  ];
}

function polygonChecks(told: MaskFile["polygons"][number], golden: GoldenTensors): Check[] {
  const rle = rasterizePolygons(told.polygons, told.height, told.width);
  return maskChecks(rle, told, `poly_${told.name}`, golden);
}

async function kindChecks(
  kind: CocoKind,
  folder: string,
  truth: CocoAnnotations,
  golden: GoldenTensors,
  meta: CaseFile,
): Promise<Check[]> {
  const results = await readResults(join(folder, `detections_${kind}.json`), truth);
  const scores = await evaluate(truth, results, { kind });
  const { recommended_tolerance: tolerance, results: expected, iou_example: example } = meta;
  const found = results.filter(({ imageId }) => imageId === example.image_id);
  const annotations = example.annotation_ids.map(
    (id: number) => truth.annotations.find((one) => one.id === id)!,
  );
  const ious =
    kind === "bbox"
      ? boxIou(
          found.map(({ box }) => box!),
          annotations.map(({ box }: { box: BoxXywh }) => box),
          example.iscrowd,
        )
      : maskIou(
          found.map(({ mask }) => mask!),
          annotations.map((one: (typeof annotations)[number]) => truth.mask(one)),
          example.iscrowd,
        );
  const check = (
    name: string,
    actual: ArrayLike<number>,
    wanted: ArrayLike<number>,
    bound: number,
  ): Check => {
    return { name: `${kind} ${name}`, error: maxAbsError(actual, wanted), tolerance: bound };
  };
  const arrays = arraysOf(scores);
  return [
    check("overlaps", ious, golden.get(`iou_${kind}`)!.data, tolerance.iou_abs),
    ...Object.entries(metricNames).map(([name, own]) =>
      check(name, [scores.summary[own]], [expected[kind][name]], tolerance.summary_abs),
    ),
    ...Object.entries(expected[kind].per_category_AP as Record<string, number>).map(([id, value]) => {
      const name = truth.classes[truth.label(Number(id))!];
      return check(`AP of ${name}`, [scores.ofClass(name).AP], [value], tolerance.summary_abs);
    }),
    ...(["precision", "recall", "scores"] as const).map((name) =>
      check(name, arrays[name], golden.get(`${kind}_${name}`)!.data, tolerance.precision_abs),
    ),
  ];
}

const metricNames = {
  AP: "AP",
  AP50: "AP50",
  AP75: "AP75",
  AP_small: "APs",
  AP_medium: "APm",
  AP_large: "APl",
  AR_1: "AR1",
  AR_10: "AR10",
  AR_100: "AR100",
  AR_small: "ARs",
  AR_medium: "ARm",
  AR_large: "ARl",
} as const;
