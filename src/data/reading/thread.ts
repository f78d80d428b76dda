import { parentPort, workerData } from "node:worker_threads";
import { LuvitError, withPath } from "../../core/errors";
import { Rng } from "../../core/rng";
import type { BuiltInTransform, TransformSpec } from "../imageTransform";
import { applyStepsInto, PixelMemory, placedNumbers, type Region, type RgbImage } from "../pixels";
import { rebuildTransform } from "../rebuildTransform";
import type { ReadFailure, ReadRequest, ReadSuccess } from "./messages";
import { decodeWhole, readPart } from "./readPart";
import { ResultMemory } from "./resultMemory";

/* A thread that decodes and transforms images for the one that started it. */

const transforms = new Map<string, BuiltInTransform>();

function transformOf(spec: TransformSpec): BuiltInTransform {
  const key = JSON.stringify(spec);
  const known = transforms.get(key);
  if (known) return known;
  const made = rebuildTransform(spec);
  transforms.set(key, made);
  return made;
}

const results = new ResultMemory();
const { region } = workerData as { region?: Region };
const common = region && new PixelMemory(0, region);

async function read(request: ReadRequest): Promise<ReadSuccess> {
  const { id, path, stored, decode, pixels, keep, spec, seed } = request;
  const transform = transformOf(spec);
  const source = { name: path, content: stored ?? path };
  const image = pixels ?? (keep ? await decodeWhole(source, decode) : undefined);
  const { address, length, isBytes } = request;
  const isCommon = common !== undefined && address !== undefined;
  const place = isCommon
    ? { memory: common, address, length, isBytes }
    : results.place(request.slot, length, isBytes);
  if (!image) await readPart(source, decode, transform.steps, seed, place);
  else withPath(path, () => applyStepsInto(placedNumbers(place), transform.steps, image, new Rng(seed)));
  const memory = isCommon ? undefined : results.news(place);
  return {
    ...{ id, done: true },
    ...(!isCommon && { address: place.address }),
    ...(memory && { memory }),
    ...(keep && image && { pixels: shared(image) }),
  };
}

/** The image in memory that threads share. */
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
