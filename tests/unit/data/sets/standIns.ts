import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { imageNetWnids } from "../../../../src/data/sets";

export const wnids = imageNetWnids();

/** Writes the same small image under many names; stands in for a published set of that layout. */
export function layOut(root: string, paths: readonly string[], image: Uint8Array | string): void {
  const files = paths.map((path) => join(root, path));
  for (const folder of new Set(files.map((file) => dirname(file)))) mkdirSync(folder, { recursive: true });
  for (const file of files) writeFileSync(file, image);
}

/** `<folder>/<k>.JPEG` for every folder, k below `count`. */
export function filesIn(folders: readonly string[], count: number): string[] {
  return folders.flatMap((folder) => Array.from({ length: count }, (_, k) => `${folder}/${k}.JPEG`));
}
