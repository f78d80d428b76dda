import { join, relative } from "node:path";
import { evaluateDetector } from "../analysis/detection";
import { checkOptions } from "../core/options";
import { openCoco } from "../data/coco";
import { fitSquare, largeScaleJitter, type SquareTransform } from "../data/detection";
import { detector } from "../models";
import type { Detector } from "../models/detector/detector";
import { detect } from "../train/detection/detect";
import { detectOptions } from "../train/detection/options";
import { coco, cocoDetectron2, detectToy } from "../train/detection/recipes";
import { openRun } from "../train/openRun";
import { isRunFolder } from "../train/runWeights";
import type { DetectConfig, ScenesConfig } from "./detectConfig";
import { classifierOrMae, encoderOf, fusionOf } from "./models";
import { type RunRequest, wordsOf } from "./request";
import { loadConfig } from "./runConfig";
import { Stopping } from "./signals";
import { announce, drive, freeFolder, startEngine } from "./trainCommand";
import { writeLines } from "./writeLines";

const recipes = { coco, cocoDetectron2, detectToy };

/** Turns a path of the configuration file into one of this process. */
type Resolve = (relative: string) => string;

/** `luvit detect`: exit status. */
export async function detectCommand(request: RunRequest): Promise<number> {
  const { config, path } = loadConfig("detect", request.file);
  const out = freeFolder(request, path(config.out));
  const recipe = recipes[config.recipe];
  const seed = request.seed ?? config.options?.seed;
  const options = { ...recipe, ...config.options, ...config.engine, seed, out, resume: request.resume };
  checkOptions(`${request.file}: options`, detectOptions, options);
  await startEngine(request, config.engine);
  const { imageSize = config.model.preset === "toy" ? detector.toy.imageSize : 1024 } = config.model;
  const { train, validation: held, scale } = config.data;
  const images = await scenesFrom(train, largeScaleJitter(imageSize, { scale }), path);
  const validation = held && (await scenesFrom(held, fitSquare(imageSize), path));
  const named = { ...config.model, seed: request.seed ?? config.model.seed };
  const model = await detectorFrom(named, path, images.classes, request.print);
  announce(request, model, recipe.recipe);
  const sets = validation ? [images, validation] : [images];
  for (const set of sets) for (const note of set.truth.notes()) request.print(`${set.root}: ${note}`);
  return drive(request, "detect", sets, () => detect(model, images, { ...options, validation }));
}

async function scenesFrom({ take, ...scenes }: ScenesConfig, transform: SquareTransform, path: Resolve) {
  const { root, part, images, annotations, partial } = scenes;
  const places = { images, annotations };
  const own = Object.fromEntries(
    Object.entries(places).flatMap(([key, place]) => (place ? [[key, path(place)]] : [])),
  );
  const set = await openCoco({
    ...(own.images && own.annotations ? own : { root: path(root), part, ...own }),
    partial,
    transform,
  });
  return take === undefined ? set : set.take(take);
}

/** The detector of a configuration, on pretrained weights where there are some. */
async function detectorFrom(
  { preset, encoder, fusion, pretrained, ...rest }: DetectConfig["model"],
  path: Resolve,
  classNames: readonly string[],
  say: (line: string) => void,
): Promise<Detector> {
  const head = { ...(preset === "toy" ? detector.toy : {}), ...rest, classes: classNames.length, classNames };
  const { encoder: _, ...options } = head as typeof head & { encoder?: unknown };
  const shape = encoder ? encoderOf(encoder) : preset === "toy" ? detector.toy.encoder : undefined;
  if (pretrained !== undefined && shape === undefined)
    return detector.fromPretrained(await classifierOrMae(path(pretrained)), options);
  const model = detector.create({ ...options, encoder: shape!, fusion: await fusionOf(fusion, path) });
  if (pretrained !== undefined) say(String(await detector.loadCheckpoint(model, path(pretrained))));
  return model;
}

/** `luvit detect evaluate`: exit status. */
export async function detectEvaluateCommand(request: RunRequest): Promise<number> {
  const { config, path } = loadConfig("detectEvaluate", request.file);
  await startEngine(request, config.engine);
  const weights = path(config.model.weights);
  const model = await detector.open(weights);
  const images = await scenesFrom(config.data, fitSquare(model.settings.encoder.imageSize), path);
  const run = isRunFolder(weights) ? await openRun(weights) : undefined;
  const out = request.out ?? path(config.out);
  const stop = new AbortController();
  const about = {
    model: config.model.name,
    recipe: config.recipe ?? run?.recipe,
    seed: request.seed ?? config.seed ?? run?.seed,
  };
  const { value: result, status } = await Stopping.around(
    "image",
    () => stop.abort(),
    () =>
      evaluateDetector(model, images, {
        ...config.engine,
        ...about,
        out,
        shard: request.shard,
        signal: stop.signal,
      }),
  );
  request.print(String(result));
  if (!result.complete) {
    request.print(`what was found is kept. Go on with: luvit detect evaluate ${wordsOf(request)}`);
    return status ?? (request.shard ? 0 : 130);
  }
  await writeLines(join(out, "results.jsonl"), result.boxes!.table);
  if (result.masks) await writeLines(join(out, "masks.jsonl"), result.masks.table);
  request.print(`done · ${relative(process.cwd(), out) || "."}`);
  return 0;
}
