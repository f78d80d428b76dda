// Draws the toy data set again: node scripts/make-toy-set.mjs [folder], default data/shapes. Run `npm run build` first.
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { writeToySet } = createRequire(import.meta.url)("../dist/data/toy/toySet.js");

const folder = process.argv[2] ?? join(root, "data", "shapes");
for (const part of ["train", "val", "segmentation", "in9", "train-semi", "train-semi-segmentation", "coco"])
  await rm(join(folder, part), { recursive: true, force: true });
const { files, bytes } = await writeToySet(folder);
console.log(`${files} files, ${(bytes / 1e6).toFixed(2)} MB in ${folder}`);
