import { join } from "node:path";
import { type Tensor, tf } from "../../../src/core/tf";
import { type ArraysByName, describeRunning, type TypedArray } from "../../../src/engine";
import type { Graph } from "../../../src/graph";
import { randomBlock } from "../../../src/models/baselines";
import { create as createClassifier } from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import { type MaeInputs, MaskedAutoencoder } from "../../../src/models/mae";
import { maskFromNoise } from "../../../src/models/masking";
import { create as createSegmenter, type SegmentInputs } from "../../../src/models/segmenter";
import { segmentTargets } from "../../../src/models/segmentTargets";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { finetuneRules, pretrainRules } from "../../../src/optim/groups";
import { stepModels } from "../../golden/distillModels";
import { maxAbsError, readCaseFile } from "../../golden/harness";
import {
  atStep,
  hostParameters,
  load,
  luvitLlamaConfig,
  stateDict,
  tensor,
  vitConfig,
} from "../../golden/support";
import type { StepSpec } from "../graph/support";
import { repository } from "../nn/support";
import { openGraph, type TestedEngine } from "./support";

/** A golden training run: its step and what every step is fed. */
export interface Scenario {
  step: StepSpec;
  feedsAt(step: number): Record<string, Tensor>;
  /** Rate and loss of every step. */
  rates: ArrayLike<number>;
  losses: ArrayLike<number>;
}

export type Opened = ReturnType<typeof openCase>;

export const openCase = (name: string) => openFolder(join(repository, "tests", "golden", "cases", name));

export function openFolder(folder: string) {
  return { folder, meta: readCaseFile(folder), io: load(folder, "io.safetensors") };
}

function fusionOf(config: Record<string, number>) {
  const block = randomBlock(luvitLlamaConfig(config));
  const targets = config.lora_targets as unknown as string[];
  lora.attach(block, { rank: config.lora_r, alpha: config.lora_alpha, targets });
  return through(block);
}

export function pretraining({ folder, meta: { config }, io }: Opened): Scenario {
  const [dim, depth, heads] = [config.decoder_embed_dim, config.decoder_depth, config.decoder_num_heads];
  const model = new MaskedAutoencoder({
    encoder: vitConfig(config),
    fusion: fusionOf(config),
    decoder: { dim, depth, heads, mlpRatio: config.mlp_ratio },
    maskRatio: config.mask_ratio,
  });
  model.loadStateDict(stateDict(load(folder, "state.safetensors")));
  const feedsAt = (step: number) => {
    const mask = maskFromNoise(atStep(io.get("noise")!, step).data, config.batch, config.mask_ratio);
    return { ...model.inputs(tensor(atStep(io.get("images")!, step)), mask) };
  };
  const loss: StepSpec["loss"] = (inputs) => model.loss(inputs as unknown as MaeInputs);
  const rules = pretrainRules(model, config.weight_decay);
  const step = { model, rules, betas: config.betas, inputs: specsOf(feedsAt(0)), loss };
  return { step, feedsAt, rates: io.get("lrs")!.data, losses: io.get("losses")!.data };
}

export function finetuning({ folder, meta: { config }, io }: Opened): Scenario {
  const model = createClassifier({
    encoder: vitConfig(config),
    fusion: fusionOf(config),
    classes: config.num_classes,
    pooling: config.global_pool ? "mean" : "cls",
  });
  model.loadStateDict(stateDict(load(folder, "state.safetensors")));
  const feedsAt = (step: number) => ({
    images: tensor(atStep(io.get("mixed_images")!, step)),
    targets: tensor(atStep(io.get("soft_targets")!, step)),
  });
  const loss: StepSpec["loss"] = ({ images, targets }) =>
    softTargetCrossEntropy(model.forward(images), targets);
  const { weight_decay: weightDecay, layer_decay: layerDecay, depth, betas } = config;
  const rules = finetuneRules(model, { weightDecay, layerDecay, depth });
  const step = { model, rules, betas, inputs: specsOf(feedsAt(0)), loss };
  return { step, feedsAt, rates: io.get("lrs")!.data, losses: io.get("losses")!.data };
}

/** A student with a frozen teacher in the same graph. */
export function distilling({ folder, meta, io }: Opened): Scenario {
  const { config } = meta;
  const { taught, rules, loss } = stepModels(folder, meta);
  const feedsAt = (step: number) => ({
    images: tensor(atStep(io.get("images")!, step)),
    targets: tensor(atStep(io.get("soft_targets")!, step)),
  });
  const { shape, data } = io.get("losses")!;
  const totals = Array.from({ length: shape[0] }, (_, step) => data[step * shape[1]]);
  const step = { model: taught, rules, betas: config.betas, inputs: specsOf(feedsAt(0)), loss };
  return { step, feedsAt, rates: config.lrs, losses: totals };
}

export function segmenting({ folder, meta: { config }, io }: Opened) {
  const model = createSegmenter({ encoder: vitConfig(config), classes: config.num_classes });
  model.loadStateDict(stateDict(load(folder, "state.safetensors")));
  const side = 2 * (config.img_size / config.patch_size);
  const feedsAt = (step: number) => {
    const { data, shape } = atStep(io.get("targets")!, step);
    const maps = { ids: data, height: shape[1], width: shape[2] };
    const { ids, weights } = segmentTargets(maps, { rows: side, columns: side, classes: config.num_classes });
    return {
      images: tensor(atStep(io.get("images")!, step)),
      ids: tf.tensor1d(ids, "int32"),
      weights: tf.tensor1d(weights),
    };
  };
  const loss: StepSpec["loss"] = (inputs) => model.loss(inputs as unknown as SegmentInputs);
  const { weight_decay: weightDecay, layer_decay: layerDecay, depth, betas } = config;
  const rules = finetuneRules(model, { weightDecay, layerDecay, depth });
  const step = { model, rules, betas, inputs: specsOf(feedsAt(0)), loss };
  return { step, feedsAt, rates: io.get("lrs")!.data, losses: io.get("losses")!.data };
}

const specsOf = (feeds: Record<string, Tensor>): StepSpec["inputs"] =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, dtype }]) => [
      name,
      { shape, dtype: dtype as "float32" | "int32" },
    ]),
  );

export const hostFeeds = (make: () => Record<string, Tensor>): ArraysByName => {
  const made = make();
  const host = Object.entries(made).map(([name, x]) => [name, x.dataSync().slice() as TypedArray]);
  tf.dispose(Object.values(made));
  return Object.fromEntries(host);
};

export async function train(
  { open }: Pick<TestedEngine, "open">,
  graph: Graph,
  { step, feedsAt, rates }: Scenario,
  { meta: { config } }: Opened,
  frozen?: "int8",
) {
  const parameters = Object.fromEntries(await hostParameters(step.model)) as Record<string, Float32Array>;
  const executor = await openGraph(graph, parameters, { threads: 1, open, frozen });
  const [beta1, beta2] = config.betas;
  const losses: number[] = [];
  for (let t = 1; t <= config.steps; t++) {
    const schedule = Float32Array.of(rates[t - 1], 1 - beta1 ** t, 1 - beta2 ** t);
    const feeds = hostFeeds(() => feedsAt(t - 1));
    losses.push((await executor.run("step", { ...feeds, schedule })).loss[0]);
  }
  const state = await executor.readState();
  const description = describeRunning(executor.description);
  await executor.dispose();
  return { losses, state: { ...parameters, ...state }, description };
}

/** The key third of a fused bias has no true gradient; its rounding noise has a tolerance of its own. */
export function parameterErrors(
  state: ArraysByName,
  expected: ReturnType<typeof load>,
): { keys: number; others: number } {
  const errors = { keys: 0, others: 0 };
  for (const [path, { data }] of expected) {
    const third = path.endsWith("attn.qkv.bias") ? data.length / 3 : data.length;
    for (let part = 0; part * third < data.length; part++) {
      const slice = (x: ArrayLike<number>) => Array.prototype.slice.call(x, part * third, (part + 1) * third);
      const kind = part === 1 ? "keys" : "others";
      errors[kind] = Math.max(errors[kind], maxAbsError(slice(state[path] ?? []), slice(data)));
    }
  }
  return errors;
}
