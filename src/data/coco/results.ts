import { LuvitError } from "../../core/errors";
import { type BoxXywh, type Rle, rleText } from "../../core/masks";
import { checkOptions, instance, oneOf, path as pathField, row } from "../../core/options";
import { writeFileAtomically } from "../../core/writeAtomically";
import { forEachJsonPart } from "../../io/bytes";
import { CocoAnnotations } from "./annotations";
import { readSegmentation } from "./entries";
import { Fields } from "./fields";
import { Problems } from "./problems";
import { isPolygons } from "./segmentation";

/** An object that a detector found. */
export interface CocoResult {
  readonly imageId: number;
  readonly categoryId: number;
  readonly score: number;
  /** In pixels of the image as it lies on disk. */
  readonly box?: BoxXywh;
  readonly mask?: Rle;
}

/** Whether boxes or masks are compared. */
export type CocoKind = "bbox" | "segm";

export const cocoKind = oneOf(["bbox", "segm"]);
const annotationsField = instance(CocoAnnotations, "what coco.read gave");

/**
 * Reads results in COCO's format: a list of { image_id, category_id, score, bbox and/or segmentation }.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "bad-dataset"): "bad-dataset" names every result that is not as COCO
 * has it, or that is of an image or class unknown to `truth`.
 */
export async function readResults(path: string, truth: CocoAnnotations): Promise<CocoResult[]> {
  checkOptions("coco.readResults", pathField, path);
  checkOptions("coco.readResults", annotationsField, truth);
  const problems = new Problems();
  const results: CocoResult[] = [];
  const known = new Set(truth.images.map(({ id }) => id));
  await forEachJsonPart(path, (key, index, text) => {
    if (key !== undefined)
      throw new LuvitError("bad-dataset", `an object with "${key}", where a list of results is expected`);
    const fields = Fields.parse(text);
    const result = typeof fields === "string" ? fields : resultOf(fields, truth, known);
    if (typeof result === "string") problems.add(`results[${index}]: ${result}`);
    else results.push(result);
  });
  problems.expectNone(path);
  return results;
}

function resultOf(fields: Fields, truth: CocoAnnotations, known: ReadonlySet<number>): CocoResult | string {
  const [imageId, categoryId] = [fields.whole("image_id"), fields.whole("category_id")];
  const result = { imageId, categoryId, score: fields.number("score") };
  const isKnown = known.has(imageId);
  if (!isKnown) fields.refuse(`image_id: there is no image ${imageId}`);
  if (truth.label(categoryId) === undefined) fields.refuse(`category_id: there is no category ${categoryId}`);
  const box = fields.has("bbox") ? fields.box("bbox") : undefined;
  const image = isKnown ? truth.image(imageId) : undefined;
  const mask = fields.has("segmentation") ? readSegmentation(fields, image) : undefined;
  if (mask && isPolygons(mask)) fields.refuse("segmentation: polygons, where results have { size, counts }");
  if (!box && !mask) fields.refuse("neither bbox nor segmentation");
  if (fields.wrong.length > 0) return fields.wrong.join("; ");
  return { ...result, ...(box && { box }), ...(mask && { mask: mask as Rle }) };
}

const PER_WRITE = 1000;

/**
 * Writes results as COCO's tools read them, whole or not at all: boxes or masks. Both in one file would make those tools
 * sort masks into sizes by the areas of their boxes.
 *
 * @throws LuvitError("bad-argument") when a result lacks what is to be written, LuvitError("bad-file") when the disk refuses.
 */
export async function writeResults(
  path: string,
  results: readonly CocoResult[],
  kind: CocoKind,
): Promise<void> {
  checkOptions("coco.writeResults", pathField, path);
  checkOptions("coco.writeResults", row("a list of results"), results);
  checkOptions("coco.writeResults", cocoKind, kind);
  expectKind("coco.writeResults", results, kind);
  await writeFileAtomically(path, async (handle) => {
    await handle.writeFile("[");
    for (let at = 0; at < results.length; at += PER_WRITE) {
      const lines = results.slice(at, at + PER_WRITE).map((result) => JSON.stringify(entryOf(result, kind)));
      await handle.writeFile(`${at > 0 ? ",\n" : ""}${lines.join(",\n")}`);
    }
    await handle.writeFile("]\n");
  });
}

/** @throws LuvitError("bad-argument") when a result has no box, or no mask. */
export function expectKind(where: string, results: readonly CocoResult[], kind: CocoKind): void {
  const lacking = results.findIndex(({ box, mask }) => (kind === "bbox" ? !box : !mask));
  if (lacking < 0) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: result ${lacking} has no ${kind === "bbox" ? "box" : "mask"}`,
  );
}

function entryOf({ imageId, categoryId, score, box, mask }: CocoResult, kind: CocoKind): unknown {
  const common = { image_id: imageId, category_id: categoryId };
  if (kind === "bbox") return { ...common, bbox: box, score };
  return { ...common, segmentation: { size: [mask!.height, mask!.width], counts: rleText(mask!) }, score };
}
