import { parentPort } from "node:worker_threads";
import { LuvitError } from "../../core/errors";
import { Rng } from "../../core/rng";
import { withPath } from "../dataset";
import type { RgbImage } from "../decode";
import { decodeWhole, readPart } from "../readPart";
import { asIs, evalTransform, finetuneAugment, type ImageTransform, maeAugment } from "../transforms";
import type { ReadFailure, ReadRequest, ReadSuccess } from "./messages";
import { stepsOf, type TransformRecipe } from "./recipes";

/* A thread that decodes and transforms pictures for the one that started it. */

const transforms = new Map<string, ImageTransform>();

function transformOf(recipe: TransformRecipe): ImageTransform {
  const key = JSON.stringify(recipe);
  const known = transforms.get(key);
  if (known) return known;
  const made = makeTransform(recipe);
  transforms.set(key, made);
  return made;
}

function makeTransform(recipe: TransformRecipe): ImageTransform {
  if (recipe.kind === "evalTransform") return evalTransform(recipe.size, { cropRatio: recipe.cropRatio });
  if (recipe.kind === "finetuneAugment") return finetuneAugment(recipe.size, recipe);
  return { maeAugment, asIs }[recipe.kind](recipe.size);
}

async function read(request: ReadRequest): Promise<ReadSuccess> {
  const { id, path, stored, decode, pixels, keep, recipe, seed, slot } = request;
  const transform = transformOf(recipe);
  const source = { name: path, content: stored ?? path };
  if (!pixels && !keep) {
    await readPart(source, decode, stepsOf(transform)!, seed, slot);
    return { id, done: true };
  }
  const image = pixels ?? (await decodeWhole(source, decode));
  slot.set(withPath(path, () => transform.apply(image, new Rng(seed))));
  return { id, done: true, ...(keep && { pixels: shared(image) }) };
}

/** The picture in memory that threads share. */
function shared({ data, width, height }: RgbImage): RgbImage {
  const memory = new Uint8Array(new SharedArrayBuffer(data.length));
  memory.set(data);
  return { data: memory, width, height };
}

function failure(id: number, error: unknown): ReadFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { id, done: false, message, ...(error instanceof LuvitError && { code: error.code }) };
}

parentPort!.on("message", (request: ReadRequest) => {
  read(request).then(
    (reply) => parentPort!.postMessage(reply),
    (error) => parentPort!.postMessage(failure(request.id, error)),
  );
});
