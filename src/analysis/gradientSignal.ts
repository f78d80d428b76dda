import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../core/errors";
import { breathe } from "../core/loop";
import { checkOptions, optionsOf, partsWith, signal, whole } from "../core/options";
import { beginWork } from "../core/progress";
import { Rng } from "../core/rng";
import { withStopRequest } from "../core/stopRequest";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import { type Batch, batches } from "../data/loader";
import { type Engine, type EngineOptions, openEngine } from "../engine";
import { optimize, trace } from "../graph";
import { Classifier } from "../models/classifier";
import type { MaeInputs, MaskedAutoencoder } from "../models/mae";
import { smoothedTargets, softTargetCrossEntropy } from "../nn/losses";
import { parameterShapes, sendParameters, withTracedParameters } from "../nn/modelState";
import type { Parameter } from "../nn/parameter";
import { lossAndGradients } from "../optim/gradients";
import { expectClasses, expectImageSize } from "../train/checkSizes";
import { arraysOf, type Feeds, imageFeed, specsOf } from "../train/feeds";
import { maskFeeds } from "../train/pretrain";
import { engineOf } from "./engineOf";
import { signalToNoise } from "./gsnr";
import { checkLooked, count, engine, provenance } from "./options";
import { type Provenance, resultTable } from "./provenance";

export interface GradientSignalOptions extends EngineOptions, Provenance {
  /**
   * Images whose gradients are averaged before their variance is taken; the variance is multiplied back. Default 1,
   * which is the definition; more is faster.
   */
  groupSize?: number;
  /** Groups, drawn in random order; default 64, at most what the set holds. */
  groups?: number;
  /** Ends it after the current group; the ratios are then over the groups until then, at least two. SIGINT does the same. */
  signal?: AbortSignal;
}

export const gradientSignalOptions = optionsOf<GradientSignalOptions>(
  {},
  { ...engine, ...provenance.optional, groupSize: count, groups: whole(2, 1_000_000), signal },
);

/** One layer of a `GradientSignal`. */
export interface LayerSignal {
  /** "blocks.11", "llama.layers.31", "patch_embed", "head". */
  layer: string;
  parameters: number;
  /** Mean of the ratio over the layer's parameters. */
  gsnr: number;
}

/** Gradient signal-to-noise ratios of a model. Prints as a line per layer. */
export class GradientSignal {
  /** A row per parameter tensor: layer, parameter (path), size, gsnr (mean over its numbers); and the provenance. */
  readonly table: Table;
  /** In the order in which the model runs them. */
  readonly layers: readonly LayerSignal[];
  /** Mean over all trained parameters. */
  readonly mean: number;
  readonly groups: number;
  readonly groupSize: number;

  constructor(parts: {
    table: Table;
    layers: readonly LayerSignal[];
    mean: number;
    groups: number;
    groupSize: number;
  }) {
    checkOptions("GradientSignal", partsWith("table", "layers"), parts);
    const { table, layers, mean, groups, groupSize } = parts;
    this.table = table;
    this.layers = layers;
    this.mean = mean;
    this.groups = groups;
    this.groupSize = groupSize;
  }

  toString(): string {
    const width = Math.max(...this.layers.map(({ layer }) => layer.length));
    const lines = this.layers.map(({ layer, gsnr }) => `  ${layer.padEnd(width)}  ${gsnr.toExponential(3)}`);
    const head = `gradient signal-to-noise ratio ${this.mean.toExponential(3)}, ${this.groups} groups of ${this.groupSize}`;
    return [head, ...lines].join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Gradient signal-to-noise ratio per layer: E[g]² / Var[g] of every trained parameter over images, averaged over the
 * layer's parameters. Of a classifier's cross entropy with the true label, or of a masked auto-encoder's loss under
 * random masks. Mean and variance are gathered where the gradients are computed, so memory is three times the trained
 * parameters. Reference: LUViT C.2; Liu et al. 2020.
 *
 * @throws LuvitError("bad-argument") for fewer than two groups, or images that do not fit the model.
 */
export async function gradientSignal(
  model: Classifier | MaskedAutoencoder,
  dataset: ImageDataset,
  options: GradientSignalOptions = {},
): Promise<GradientSignal> {
  checkLooked("gradientSignal", model, dataset);
  checkOptions("gradientSignal", gradientSignalOptions, options);
  const { groupSize = 1, groups: wanted = 64, model: name = model.toString(), data, recipe, seed } = options;
  const groups = Math.min(wanted, Math.floor(dataset.length / groupSize));
  expectFit(model, dataset, groups, groupSize);
  const trained = [...model.namedParameters()].filter(([, parameter]) => parameter.trainable);
  const task = taskOf(model, seed ?? 0);
  const activity = beginWork({ label: "gradient signal", total: groups * groupSize, kept: 0 });
  let executor: Engine | undefined;
  let count = 0;
  try {
    await withStopRequest(options.signal, async (request) => {
      for await (const batch of batches(dataset, { batchSize: groupSize, seed, reuse: 1 })) {
        const feeds = task.feeds(batch);
        executor ??= await openSums(model, trained, task.loss, feeds, engineOf(options));
        await executor.run("gather", { ...arraysOf(feeds), count: Float32Array.of(++count) });
        activity.advance(count * groupSize);
        await breathe();
        if (count === groups || (request.stopped && count > 1)) break;
      }
    });
    const rows = [];
    for (const [path, { size }] of trained) {
      const [mean, squares] = momentsOf(path);
      const state = await executor!.readState([mean, squares]);
      const variance = state[squares].map((sum) => (groupSize * sum) / (count - 1));
      const ratios = signalToNoise(state[mean], variance);
      rows.push({ path, size, gsnr: ratios.reduce((sum, x) => sum + x, 0) / size });
    }
    return summarize(rows, { model: name, data, recipe, seed }, count, groupSize);
  } finally {
    activity.end(count === groups ? "done" : "stopped");
    await executor?.dispose();
  }
}

function expectFit(
  model: Classifier | MaskedAutoencoder,
  dataset: ImageDataset,
  groups: number,
  groupSize: number,
): void {
  expectImageSize(dataset, model.encoder.config.imageSize, "gradientSignal");
  if (model instanceof Classifier) expectClasses(dataset, model.classes, "gradientSignal");
  if (Number.isInteger(groupSize) && groupSize > 0 && groups >= 2) return;
  const given = `${groups} groups of ${groupSize} from ${dataset.length} images`;
  throw new LuvitError("bad-argument", `gradientSignal: a variance needs at least two groups, got ${given}`);
}

/** What is differentiated, and what it is fed for a group of images. */
interface SignalTask {
  feeds(batch: Batch): Feeds;
  loss(inputs: Readonly<Record<string, Tensor>>): Tensor;
}

function taskOf(model: Classifier | MaskedAutoencoder, seed: number): SignalTask {
  const { config } = model.encoder;
  if (model instanceof Classifier) {
    return {
      feeds: ({ images, labels }) => ({
        images: imageFeed(images, config.imageSize),
        targets: { data: smoothedTargets(labels, model.classes, 0), shape: [labels.length, model.classes] },
      }),
      loss: ({ images, targets }) => softTargetCrossEntropy(model.forward(images), targets),
    };
  }
  const draws = new Rng(seed).fork("gradient signal");
  return {
    feeds: ({ images, batch }) => ({
      images: imageFeed(images, config.imageSize),
      ...maskFeeds(model, images.length / (3 * config.imageSize ** 2), draws.fork("mask", batch)),
    }),
    loss: (inputs) => model.loss(inputs as unknown as MaeInputs),
  };
}

/** Names of the running mean and the running sum of squared differences of a parameter's gradient. */
function momentsOf(path: string): [string, string] {
  return [`${path}.gradient_mean`, `${path}.gradient_squares`];
}

/** A program that takes one more gradient into mean and squares (Welford's update, which loses no digits). */
async function openSums(
  model: Classifier | MaskedAutoencoder,
  trained: readonly (readonly [string, Parameter])[],
  loss: SignalTask["loss"],
  feeds: Feeds,
  options: EngineOptions,
): Promise<Engine> {
  const moments = trained.flatMap(([path, { shape }]) => momentsOf(path).map((name) => [name, { shape }]));
  const graph = trace("gather", {
    inputs: { ...specsOf(feeds), count: { shape: [1] } },
    state: { ...parameterShapes(model), ...Object.fromEntries(moments) },
    body: ({ count, ...fed }, state) => {
      const variables = new Map(trained.map(([path]) => [path, state[path]]));
      const found = withTracedParameters(model, state, () => lossAndGradients(() => loss(fed), variables));
      const results: Record<string, Tensor> = { loss: found.loss };
      for (const [path, gradient] of found.gradients) {
        const [mean, squares] = momentsOf(path);
        const before = tf.sub(gradient, state[mean]);
        results[mean] = tf.add(state[mean], tf.div(before, count));
        results[squares] = tf.add(state[squares], tf.mul(before, tf.sub(gradient, results[mean])));
      }
      return results;
    },
  });
  const programs = { gather: { graph: optimize(graph) } };
  const executor = await openEngine(programs, options);
  try {
    await sendParameters(executor, model.namedParameters());
    for (const [path, { size }] of trained) {
      for (const name of momentsOf(path)) await executor.writeState({ [name]: new Float32Array(size) });
    }
    return executor;
  } catch (error) {
    await executor.dispose();
    throw error;
  }
}

/** "blocks.3.attn.qkv.weight" -> "blocks.3", "llama.layers.31.…" -> "llama.layers.31", "head.bias" -> "head". */
function layerOf(path: string): string {
  return /^(?:[a-z_]+\.)*?(?:[a-z_]*blocks|layers)\.\d+/.exec(path)?.[0] ?? path.split(".")[0];
}

function summarize(
  rows: readonly { path: string; size: number; gsnr: number }[],
  provenance: Provenance,
  groups: number,
  groupSize: number,
): GradientSignal {
  const mean = (some: typeof rows) => {
    const parameters = some.reduce((sum, { size }) => sum + size, 0);
    return { parameters, gsnr: some.reduce((sum, { size, gsnr }) => sum + size * gsnr, 0) / parameters };
  };
  const names = [...new Set(rows.map(({ path }) => layerOf(path)))];
  const layers = names.map((layer) => ({
    layer,
    ...mean(rows.filter(({ path }) => layerOf(path) === layer)),
  }));
  const table = resultTable(
    {
      layer: rows.map(({ path }) => layerOf(path)),
      parameter: rows.map(({ path }) => path),
      size: rows.map(({ size }) => size),
      gsnr: rows.map(({ gsnr }) => gsnr),
    },
    provenance,
  );
  return new GradientSignal({ table, layers, mean: mean(rows).gsnr, groups, groupSize });
}
