import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../core/errors";
import { segmenter } from "../models";
import { configOf } from "../models/openModel";
import type { Segmenter } from "../models/segmenter";
import { openRun } from "../train/openRun";
import { isRunFolder, loadRunWeights, type RunWeights } from "../train/runWeights";
import { classifierOrMae, encoderOf, expectNothingBeside, fusionOf } from "./models";
import type { SegmenterConfig, TrainedSegmenterConfig } from "./segmentConfig";

/** Turns a path of the configuration file into one of this process. */
type Resolve = (relative: string) => string;

/** Takes a line that a person should read. */
type Say = (line: string) => void;

/**
 * The segmenter of a configuration: on the encoder of a run or of a saved model, on a checkpoint of others, or from
 * nothing.
 *
 * @throws LuvitError("bad-argument") for entries that describe a model which describes itself.
 */
export async function segmenterFrom(
  config: SegmenterConfig,
  path: Resolve,
  classes: number,
  say: Say,
): Promise<Segmenter> {
  const { encoder, pretrained, frozen, seed } = config;
  const place = pretrained === undefined ? undefined : path(pretrained);
  if (place !== undefined && (!encoder || (await configOf(place)))) {
    const beside = (["encoder", "fusion"] as const).filter((key) => config[key] !== undefined);
    if (beside.length > 0) {
      const advice = `leave ${beside.map((key) => `model.${key}`).join(", ")} out`;
      throw new LuvitError("bad-argument", `${place} says itself what its model is; ${advice}`);
    }
    const source = await classifierOrMae(place);
    const model = await segmenter.fromPretrained(source, { classes, frozen, seed });
    source.dispose();
    return model;
  }
  const fusion = await fusionOf(config.fusion, path);
  const model = segmenter.create({ encoder: encoderOf(encoder!), fusion, classes, frozen, seed });
  if (place !== undefined) say(String(await segmenter.loadCheckpoint(model, place)));
  return model;
}

/**
 * A trained segmenter, and what its run's folder says of it.
 *
 * @throws LuvitError("bad-argument") for entries that describe a model which describes itself.
 */
export async function trainedSegmenterFrom(
  config: TrainedSegmenterConfig,
  path: Resolve,
  say: Say,
): Promise<{ model: Segmenter; run?: Pick<RunWeights, "recipe" | "seed" | "notes"> }> {
  const { encoder, classes, seed } = config;
  const weights = path(config.weights);
  if (!encoder) {
    expectNothingBeside(config, weights, ["fusion", "classes"]);
    const model = await segmenter.open(weights);
    return { model, run: existsSync(join(weights, "metrics.jsonl")) ? await openRun(weights) : undefined };
  }
  if (classes === undefined)
    throw new LuvitError("bad-argument", "model.classes: missing; it goes with model.encoder");
  const fusion = await fusionOf(config.fusion, path);
  const model = segmenter.create({ encoder: encoderOf(encoder), fusion, classes, seed });
  if (isRunFolder(weights)) return { model, run: await loadRunWeights(model, weights) };
  say(String(await segmenter.loadCheckpoint(model, weights)));
  return { model };
}
