import { join, relative } from "node:path";
import { segmentation } from "../analysis/segmentation";
import { checkOptions } from "../core/options";
import { imageNetS, type MaskedDataset, transforms } from "../data";
import { segmentSsl, segmentSslSup, segmentToy } from "../train/recipes";
import { segment, segmentOptions } from "../train/segment";
import { expectFolderOrNothing } from "./folders";
import { shapeOf } from "./models";
import { afterShard, type RunRequest, wordsOf } from "./request";
import { loadConfig } from "./runConfig";
import type { MasksConfig } from "./segmentConfig";
import { segmenterFrom, trainedSegmenterFrom } from "./segmenters";
import { Stopping } from "./signals";
import { announce, drive, freeFolder, given, startEngine } from "./trainCommand";
import { writeLines } from "./writeLines";

const recipes = { segmentSsl, segmentSslSup, segmentToy };

/** Opens a set of the configuration file. */
type Open = (set: MasksConfig) => Promise<MaskedDataset>;

/** `luvit segment`: exit status. */
export async function segmentCommand(request: RunRequest): Promise<number> {
  const { config, path } = loadConfig("segment", request.file);
  const out = freeFolder(request, path(config.out));
  const recipe = recipes[config.recipe];
  const seed = request.seed ?? config.options?.seed;
  const common = { out, resume: request.resume, seed };
  const settled = { ...recipe, ...given(config.options), ...config.engine, ...common };
  checkOptions(`${request.file}: options`, segmentOptions, settled);
  await startEngine(request, config.engine);
  const open = opener(await shapeOf(config.model, path), path, request.print);
  // Augmented where `augment` says so, which every recipe does.
  const images = await open(config.data.train);
  const { validation: held } = config.data;
  const validation = held && (await open(held));
  const named = { ...config.model, seed: request.seed ?? config.model.seed };
  const model = await segmenterFrom(named, path, images.classes.length + 1, request.print);
  announce(request, model, recipe.recipe);
  const sets = validation ? [images, validation] : [images];
  return drive(request, "segment", sets, () => segment(model, images, { ...settled, validation }));
}

/**
 * `luvit segment evaluate`: exit status. One set after the other; counts are kept as they come, and the same command goes
 * on with what is there.
 */
export async function segmentEvaluateCommand(request: RunRequest): Promise<number> {
  const { print, shard } = request;
  const { config, path } = loadConfig("segmentEvaluate", request.file);
  const out = request.out ?? path(config.out);
  expectFolderOrNothing(out);
  await startEngine(request, config.engine);
  const open = opener(await shapeOf(config.model, path), path, request.print);
  const sets: [name: string, set: MaskedDataset][] = [];
  for (const [name, set] of Object.entries(config.data)) sets.push([name, await open(set)]);
  const { model, run } = await trainedSegmenterFrom(config.model, path, print);
  for (const note of run?.notes ?? []) print(note);
  const stop = new AbortController();
  const { protocol, shorterSide, batchSize } = config;
  const options = {
    ...config.engine,
    ...{ protocol, shorterSide, batchSize, shard, signal: stop.signal },
    model: config.model.name,
    recipe: config.recipe ?? run?.recipe,
    seed: request.seed ?? config.seed ?? run?.seed,
  };
  /** Whether the set, or this shard of it, was looked at to its end. */
  const lookAt = async (data: string, set: MaskedDataset) => {
    const result = await segmentation(model, set, { ...options, data, out: join(out, data) });
    print(String(result));
    if (!result.complete) return false;
    if (!shard) await writeLines(join(out, data, "results.jsonl"), result.table);
    return true;
  };
  const { value: complete, status } = await Stopping.around(
    "batch",
    () => stop.abort(),
    async () => {
      for (const [data, set] of sets) {
        if (stop.signal.aborted || !(await lookAt(data, set))) return false;
      }
      return true;
    },
  );
  if (!complete) {
    print(`stopped; what was counted is kept. Go on with: luvit segment evaluate ${wordsOf(request)}`);
    return status ?? 130;
  }
  if (shard) for (const line of afterShard("segment evaluate", request, shard)) print(line);
  print(`done · ${relative(process.cwd(), out) || "."}`);
  return 0;
}

function opener(
  { imageSize, patchSize: patch }: { imageSize: number; patchSize: number },
  path: (relative: string) => string,
  print: RunRequest["print"],
): Open {
  const transform = transforms.evaluation(imageSize);
  return async ({ images, masks, take }) => {
    const set = await imageNetS({ images: path(images), masks: path(masks), transform, patch });
    const { withoutMask } = set;
    if (withoutMask > 0) print(`${path(images)}: left out for want of a mask: ${withoutMask}`);
    return take === undefined ? set : set.take(take);
  };
}
