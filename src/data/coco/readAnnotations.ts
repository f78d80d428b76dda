import { LuvitError } from "../../core/errors";
import { checkOptions, oneOf, optionsOf, path as pathField } from "../../core/options";
import { forEachJsonPart } from "../../io/bytes";
import { CocoAnnotations } from "./annotations";
import { annotationOf, type CocoAnnotation, type CocoImage, categoryOf, imageOf } from "./entries";
import { Fields } from "./fields";
import { Problems } from "./problems";

/** How a COCO file is read. */
export interface CocoReadOptions {
  /**
   * Objects that are not as COCO has them: "refuse" the file, which is the default, or "leave-out" these objects, which
   * are counted in `leftOut`. What is wrong with images and categories is refused either way.
   */
  invalid?: "refuse" | "leave-out";
}

export const cocoReadOptions = optionsOf<CocoReadOptions>({}, { invalid: oneOf(["refuse", "leave-out"]) });

/**
 * Reads a file of COCO's instances: images, categories, annotations with polygons or runs. The file may be of any size; it
 * is read entry by entry.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "bad-dataset"): "bad-dataset" names every entry that is not as COCO
 * has it.
 * @example
 * const truth = await luvit.coco.read("data/shapes/coco/annotations/instances_val.json");
 * console.log(truth.images.length, truth.classes);
 */
export async function readAnnotations(path: string, options: CocoReadOptions = {}): Promise<CocoAnnotations> {
  checkOptions("coco.read", pathField, path);
  checkOptions("coco.read", cocoReadOptions, options);
  const lists = await readLists(path);
  const problems = new Problems();
  const images = collect(lists.images, "images", imageOf, problems);
  const categories = collect(lists.categories, "categories", categoryOf, problems);
  problems.expectNone(path);
  const [imageById, categoryIds] = [
    new Map(images.map((image) => [image.id, image])),
    new Set(categories.map(({ id }) => id)),
  ];
  const annotations = await readObjects(path, problems, imageById, categoryIds);
  if (options.invalid !== "leave-out")
    problems.expectNone(path, '\n(invalid: "leave-out" reads the file without these objects)');
  return new CocoAnnotations(images, categories, annotations, {
    count: problems.count,
    lines: problems.lines,
  });
}

/** Texts of the short lists. Annotations often come first in a file and are read afterwards, when their images are known. */
async function readLists(path: string): Promise<{ images: string[]; categories: string[] }> {
  const lists: Record<string, string[]> = {};
  const keys = new Set<string>();
  await forEachJsonPart(path, (key, _, text) => {
    if (key === undefined)
      throw new LuvitError(
        "bad-dataset",
        "a list, where an object { images, categories, annotations } is expected; are these results?",
      );
    keys.add(key);
    if (key !== "images" && key !== "categories") return;
    lists[key] ??= [];
    lists[key].push(text);
  });
  const missing = ["images", "categories"].filter((key) => !keys.has(key));
  if (missing.length === 0) return { images: lists.images, categories: lists.categories };
  const found = keys.size > 0 ? [...keys].join(", ") : "nothing";
  throw new LuvitError(
    "bad-dataset",
    `${path}: expected lists images, categories and annotations, ${missing.join(" and ")} missing or empty; found ${found}`,
  );
}

function collect<Entry extends { id: number }>(
  texts: readonly string[],
  list: string,
  read: (fields: Fields) => Entry,
  problems: Problems,
): Entry[] {
  const ids = new Set<number>();
  return texts.flatMap((text, index) => entryOf(text, `${list}[${index}]`, read, ids, problems) ?? []);
}

async function readObjects(
  path: string,
  problems: Problems,
  images: ReadonlyMap<number, CocoImage>,
  categories: ReadonlySet<number>,
): Promise<CocoAnnotation[]> {
  const ids = new Set<number>();
  const annotations: CocoAnnotation[] = [];
  const read = (fields: Fields) =>
    annotationOf(
      fields,
      (id) => images.get(id),
      (id) => categories.has(id),
    );
  await forEachJsonPart(path, (key, index, text) => {
    if (key !== "annotations") return;
    const annotation = entryOf(text, `annotations[${index}]`, read, ids, problems);
    if (annotation) annotations.push(annotation);
  });
  return annotations;
}

function entryOf<Entry extends { id: number }>(
  text: string,
  place: string,
  read: (fields: Fields) => Entry,
  ids: Set<number>,
  problems: Problems,
): Entry | undefined {
  const fields = Fields.parse(text);
  if (typeof fields === "string") {
    problems.add(`${place}: ${fields}`);
    return undefined;
  }
  const entry = read(fields);
  if (ids.has(entry.id)) fields.refuse(`id: ${entry.id} is there twice`);
  ids.add(entry.id);
  if (fields.wrong.length === 0) return entry;
  problems.add(`${place} (id ${String(entry.id)}): ${fields.wrong.join("; ")}`);
  return undefined;
}
