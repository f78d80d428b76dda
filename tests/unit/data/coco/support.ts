import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../support";

const folder = temporaryFolder();
let files = 0;

/** A file of this content; what is neither text nor bytes becomes JSON. */
export function written(content: unknown): string {
  const path = join(folder, `${files++}.json`);
  const isRaw = typeof content === "string" || content instanceof Uint8Array;
  writeFileSync(path, isRaw ? content : JSON.stringify(content));
  return path;
}

export const images = [
  { id: 7, file_name: "a.jpg", width: 20, height: 10 },
  { id: 3, file_name: "sub/b.jpg", width: 8, height: 12 },
];
export const categories = [
  { id: 44, name: "bottle" },
  { id: 3, name: "car", supercategory: "vehicle" },
];
const triangle = [[1, 1, 9, 1, 1, 9]];

/** An annotation of image 7 with what is changed. */
export function annotation(id: number, change: Record<string, unknown> = {}): Record<string, unknown> {
  const usual = {
    image_id: 7,
    category_id: 44,
    bbox: [1, 1, 8, 8],
    area: 32,
    iscrowd: 0,
    segmentation: triangle,
  };
  return { id, ...usual, ...change };
}

export function file(annotations: unknown[], change: Record<string, unknown> = {}): Record<string, unknown> {
  return { info: { year: 2017 }, images, annotations, categories, ...change };
}
