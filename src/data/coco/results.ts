import { LuvitError } from "../../core/errors";
import { type BoxXywh, type Rle, rleText } from "../../core/masks";
import { checkOptions, describeValue, instance, oneOf, path as pathField, row } from "../../core/options";
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
  refuseSome("coco.writeResults", results, (result) => lacks(result, kind));
  await writeFileAtomically(path, async (handle) => {
    await handle.writeFile("[");
    for (let at = 0; at < results.length; at += PER_WRITE) {
      const lines = results.slice(at, at + PER_WRITE).map((result) => JSON.stringify(entryOf(result, kind)));
      await handle.writeFile(`${at > 0 ? ",\n" : ""}${lines.join(",\n")}`);
    }
    await handle.writeFile("]\n");
  });
}

/**
 * Results as they are compared with annotations.
 *
 * @throws LuvitError("bad-argument") that names those without a box, or a mask of their image's size, without a score that
 * is a number, and those of images and classes that are not there.
 */
export function expectResults(
  where: string,
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  kind: CocoKind,
): void {
  refuseSome(where, results, (result) => {
    const { imageId, categoryId, score, box, mask } = result;
    const lack = lacks(result, kind);
    if (lack) return lack;
    if (!truth.has(imageId)) return `is of image ${imageId}, which is not there`;
    if (truth.label(categoryId) === undefined) return `is of category ${categoryId}, which is not there`;
    if (!Number.isFinite(score)) return `has the score ${score}`;
    if (kind === "bbox") return box!.every(Number.isFinite) ? undefined : `has the box [${box!.join(", ")}]`;
    const { height, width } = truth.image(imageId);
    if (mask!.height === height && mask!.width === width) return undefined;
    return `has a mask of ${mask!.height} x ${mask!.width} pixels on an image of ${height} x ${width}`;
  });
}

/** What is compared and not there. */
function lacks({ box, mask }: CocoResult, kind: CocoKind): string | undefined {
  if (kind === "bbox") return box ? undefined : "has no box";
  return mask ? undefined : "has no mask";
}

function refuseSome(
  where: string,
  results: readonly CocoResult[],
  wrongWith: (result: CocoResult) => string | undefined,
): void {
  const problems = new Problems();
  results.forEach((result, at) => {
    const isOne = typeof result === "object" && result !== null;
    const wrong = isOne ? wrongWith(result) : `is no object but ${describeValue(result)}`;
    if (wrong !== undefined) problems.add(`result ${at} ${wrong}`);
  });
  if (problems.count === 0) return;
  const summary = `${problems.count} of ${results.length} results cannot be used`;
  throw new LuvitError("bad-argument", `${where}: ${summary}:\n${problems.list()}`);
}

function entryOf({ imageId, categoryId, score, box, mask }: CocoResult, kind: CocoKind): unknown {
  const common = { image_id: imageId, category_id: categoryId };
  if (kind === "bbox") return { ...common, bbox: box, score };
  return { ...common, segmentation: { size: [mask!.height, mask!.width], counts: rleText(mask!) }, score };
}
