import { parentPort } from "node:worker_threads";
import { LuvitError } from "../../core/errors";
import { Rng } from "../../core/rng";
import { withPath } from "../dataset";
import { decodeImage, type RgbImage } from "../decode";
import { asIs, evalTransform, finetuneAugment, type ImageTransform, maeAugment } from "../transforms";
import type { ReadFailure, ReadRequest, ReadSuccess } from "./messages";
import type { TransformRecipe } from "./recipes";

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

async function read({
  id,
  path,
  stored,
  decode,
  pixels,
  keep,
  recipe,
  seed,
}: ReadRequest): Promise<ReadSuccess> {
  const source = pixels ?? (await decodeImage(stored ?? path, decode, path));
  const image = withPath(path, () => transformOf(recipe).apply(source, new Rng(seed)));
  return { id, image, ...(keep && { pixels: shared(source) }) };
}

/** The picture in memory that threads share. */
function shared({ data, width, height }: RgbImage): RgbImage {
  const memory = new Uint8Array(new SharedArrayBuffer(data.length));
  memory.set(data);
  return { data: memory, width, height };
}

function failure(id: number, error: unknown): ReadFailure {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof LuvitError ? { id, code: error.code, message } : { id, message };
}

parentPort!.on("message", (request: ReadRequest) => {
  read(request).then(
    (reply) => parentPort!.postMessage(reply, [reply.image.buffer as ArrayBuffer]),
    (error) => parentPort!.postMessage(failure(request.id, error)),
  );
});
