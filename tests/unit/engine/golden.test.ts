import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { ArraysByName, TypedArray } from "../../../src/engine";
import { type Graph, optimise } from "../../../src/graph";
import { randomBlock } from "../../../src/models/baselines";
import { create as createClassifier } from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import { type MaeInputs, MaskedAutoencoder } from "../../../src/models/mae";
import { maskFromNoise } from "../../../src/models/masking";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { finetuneRules, pretrainRules } from "../../../src/optim/groups";
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
import { type StepSpec, traceStep } from "../graph/support";
import { repository } from "../nn/support";
import { compilingEngines, openGraph, type TestedEngine } from "./support";

/** A golden training run: its step and what every step is fed. */
interface Scenario {
  step: StepSpec;
  feedsAt(step: number): Record<string, Tensor>;
}

type Opened = ReturnType<typeof openCase>;

function openCase(name: string) {
  const folder = join(repository, "tests", "golden", "cases", name);
  return { folder, meta: readCaseFile(folder), io: load(folder, "io.safetensors") };
}

function fusionOf(config: Record<string, number>) {
  const block = randomBlock(luvitLlamaConfig(config));
  const targets = config.lora_targets as unknown as string[];
  lora.attach(block, { rank: config.lora_r, alpha: config.lora_alpha, targets });
  return through(block);
}

function pretraining({ meta: { config }, io }: Opened): Scenario {
  const [dim, depth, heads] = [config.decoder_embed_dim, config.decoder_depth, config.decoder_num_heads];
  const model = new MaskedAutoencoder({
    encoder: vitConfig(config),
    fusion: fusionOf(config),
    decoder: { dim, depth, heads, mlpRatio: config.mlp_ratio },
    maskRatio: config.mask_ratio,
  });
  const feedsAt = (step: number) => {
    const mask = maskFromNoise(atStep(io.get("noise")!, step).data, config.batch, config.mask_ratio);
    return { ...model.inputs(tensor(atStep(io.get("images")!, step)), mask) };
  };
  const loss: StepSpec["loss"] = (inputs) => model.loss(inputs as unknown as MaeInputs);
  const rules = pretrainRules(model, config.weight_decay);
  return { step: { model, rules, betas: config.betas, inputs: specsOf(feedsAt(0)), loss }, feedsAt };
}

function finetuning({ meta: { config }, io }: Opened): Scenario {
  const model = createClassifier({
    encoder: vitConfig(config),
    fusion: fusionOf(config),
    classes: config.num_classes,
    pooling: config.global_pool ? "mean" : "cls",
  });
  const feedsAt = (step: number) => ({
    images: tensor(atStep(io.get("mixed_images")!, step)),
    targets: tensor(atStep(io.get("soft_targets")!, step)),
  });
  const loss: StepSpec["loss"] = ({ images, targets }) =>
    softTargetCrossEntropy(model.forward(images), targets);
  const { weight_decay: weightDecay, layer_decay: layerDecay, depth, betas } = config;
  const rules = finetuneRules(model, { weightDecay, layerDecay, depth });
  return { step: { model, rules, betas, inputs: specsOf(feedsAt(0)), loss }, feedsAt };
}

const specsOf = (feeds: Record<string, Tensor>): StepSpec["inputs"] =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, dtype }]) => [
      name,
      { shape, dtype: dtype as "float32" | "int32" },
    ]),
  );

const hostFeeds = (make: () => Record<string, Tensor>): ArraysByName => {
  const made = make();
  const host = Object.entries(made).map(([name, x]) => [name, x.dataSync().slice() as TypedArray]);
  tf.dispose(Object.values(made));
  return Object.fromEntries(host);
};

async function train(
  { open }: TestedEngine,
  graph: Graph,
  { step, feedsAt }: Scenario,
  { meta: { config }, io }: Opened,
) {
  const parameters = Object.fromEntries(await hostParameters(step.model)) as Record<string, Float32Array>;
  const executor = await openGraph(graph, parameters, { threads: 1, open });
  const [beta1, beta2] = config.betas;
  const losses: number[] = [];
  for (let t = 1; t <= config.steps; t++) {
    const schedule = Float32Array.of(io.get("lrs")!.data[t - 1], 1 - beta1 ** t, 1 - beta2 ** t);
    const feeds = hostFeeds(() => feedsAt(t - 1));
    losses.push((await executor.run("step", { ...feeds, schedule })).loss[0]);
  }
  const state = await executor.readState();
  await executor.dispose();
  return { losses, state: { ...parameters, ...state } };
}

/** The key third of a fused bias has no true gradient; its rounding noise has a tolerance of its own. */
function parameterErrors(
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

before(async () => {
  await startBackend();
});

const versions: [string, (graph: Graph) => Graph][] = [
  ["as traced", (graph) => graph],
  ["after the passes", (graph) => optimise(graph)],
  ["with recomputed blocks", (graph) => optimise(graph, { memory: "recompute" })],
];

async function compareWithGolden(
  engine: TestedEngine,
  name: string,
  make: (opened: Opened) => Scenario,
  pass: (graph: Graph) => Graph,
) {
  const opened = openCase(name);
  const { folder, io, meta } = opened;
  const tolerance = meta.recommended_tolerance;
  const scenario = make(opened);
  scenario.step.model.load(stateDict(load(folder, "state.safetensors")));
  const graph = pass(traceStep(name, scenario.step));
  const { losses, state } = await train(engine, graph, scenario, opened);
  const loss = maxAbsError(losses, io.get("losses")!.data);
  assert.ok(loss <= tolerance.loss_abs, `losses: ${loss}, tolerance ${tolerance.loss_abs}`);
  const { keys, others } = parameterErrors(state, load(folder, "params_after.safetensors"));
  assert.ok(others <= tolerance.params_abs, `parameters: ${others}, tolerance ${tolerance.params_abs}`);
  assert.ok(keys <= tolerance.params_key_bias_abs, `key biases: ${keys}`);
}

for (const engine of compilingEngines) {
  describe(`the golden training runs through ${engine.engine}`, () => {
    for (const [name, make] of [
      ["luvit_pretrain", pretraining],
      ["luvit_finetune", finetuning],
    ] as const) {
      for (const [passes, pass] of versions) {
        test(`${name}, ${passes}: losses and final parameters`, engine.options, () =>
          compareWithGolden(engine, name, make, pass),
        );
      }
    }
  });
}
