import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tf";
import { mixBatch } from "../../src/data/mixup";
import { randomBlock } from "../../src/models/baselines";
import { create as createClassifier, fromPretrained } from "../../src/models/classifier";
import { through } from "../../src/models/fusion";
import { llama7b } from "../../src/models/llamaConfig";
import * as lora from "../../src/models/lora";
import { decoder512x8, MaskedAutoencoder } from "../../src/models/mae";
import { maskFromNoise } from "../../src/models/masking";
import { base16 } from "../../src/models/vit";
import { softTargetCrossEntropy } from "../../src/nn/losses";
import type { Module } from "../../src/nn/module";
import { AdamW } from "../../src/optim/adamw";
import { lossAndGradients } from "../../src/optim/gradients";
import { finetuneRules, type ParameterRules, pretrainRules } from "../../src/optim/groups";
import { warmupCosine } from "../../src/optim/schedule";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import {
  absolute,
  atStep,
  compareAll,
  type GoldenTensors,
  hostGradients,
  hostParameters,
  load,
  luvitLlamaConfig,
  relative,
  stateDict,
  tensor,
  vitConfig,
} from "./support";

type Tolerances = Record<string, number>;

export const runLuvitPretrain: CaseRunner = async (folder, meta) => {
  const { config, recommended_tolerance: tolerance } = meta;
  const io = load(folder, "io.safetensors");
  const state = load(folder, "state.safetensors");
  const model = buildMae(config, {});
  model.loadStateDict(stateDict(state));
  const inputsAt = (step: number, target: MaskedAutoencoder) => {
    const noise = atStep(io.get("noise")!, step).data;
    const mask = maskFromNoise(noise, config.batch, config.mask_ratio);
    return target.inputs(tensor(atStep(io.get("images")!, step)), mask);
  };

  const first = inputsAt(0, model);
  const taps = new Map<string, Tensor>();
  const latent = model.encode(first, { tap: (name, value) => taps.set(name, value) });
  const activation = (name: string, actual: Tensor, expected: string) =>
    relative(`step 1 ${name}`, actual, io.get(expected)!, tolerance.grads_rel_to_tensor_max);
  const checks: Check[] = [
    activation("blocks", taps.get(`blocks.${config.depth - 1}.out`)!, "step1_blocks_out"),
    activation("mapper 1", taps.get("fusion.mapper1")!, "step1_mapper1_out"),
    activation("mapper 2", taps.get("fusion.mapper2")!, "step1_mapper2_out"),
    absolute("step 1 mask", first.mask, io.get("step1_mask")!, 0),
    activation("prediction", model.decode(latent, first.restoreRows), "step1_pred"),
    ...checkFrozen(model, meta),
    ...checkGroups(pretrainRules(model, config.weight_decay), meta),
  ];

  const variant = buildMae(config, { normFirst: true, rmsNorm: false });
  variant.loadStateDict(stateDict(state), { allowUnexpected: ["llama.norm."] });
  const variantLoss = variant.loss(inputsAt(0, variant));
  const error = maxAbsError(variantLoss.dataSync(), [meta.variant_norm_first.loss]);
  checks.push({ name: "norm-first variant loss", error, tolerance: tolerance.loss_abs });

  const rules = pretrainRules(model, config.weight_decay);
  const lossAt = (step: number) => model.loss(inputsAt(step, model));
  checks.push(...(await trainAndCompare(folder, meta, model, rules, lossAt, io)));
  return checks;
};

export const runLuvitFinetune: CaseRunner = async (folder, meta) => {
  const { config, recommended_tolerance: tolerance } = meta;
  const io = load(folder, "io.safetensors");
  const model = createClassifier({
    encoder: vitConfig(config),
    fusion: through(goldenBlock(config)),
    classes: config.num_classes,
    pooling: config.global_pool ? "mean" : "cls",
  });
  model.loadStateDict(stateDict(load(folder, "state.safetensors")));
  const checks: Check[] = [...checkMixing(io, config, tolerance)];

  const mixedAt = (step: number) => tensor(atStep(io.get("mixed_images")!, step));
  const bound = tolerance.grads_rel_to_tensor_max;
  checks.push(
    relative("step 1 pooled", model.pool(mixedAt(0)), io.get("step1_pooled")!, bound),
    relative("step 1 logits", model.forward(mixedAt(0)), io.get("step1_logits")!, bound),
  );

  const rules = finetuneRules(model, {
    weightDecay: config.weight_decay,
    layerDecay: config.layer_decay,
    depth: config.depth,
  });
  checks.push(...checkFrozen(model, meta), ...checkGroups(rules, meta));
  const lossAt = (step: number) =>
    softTargetCrossEntropy(model.forward(mixedAt(step)), tensor(atStep(io.get("soft_targets")!, step)));
  checks.push(...(await trainAndCompare(folder, meta, model, rules, lossAt, io)));
  checks.push(...(await checkFullSizeGroups(folder)));
  return checks;
};

/** The optimizer steps of a case: losses, first gradients, rates, final parameters. */
export async function trainAndCompare(
  folder: string,
  { config, recommended_tolerance: tolerance }: CaseFile,
  model: Module,
  rules: ParameterRules,
  lossAt: (step: number) => Tensor,
  io: GoldenTensors,
): Promise<Check[]> {
  const checks: Check[] = [];
  const optimizer = new AdamW(model, rules, { betas: config.betas, eps: config.eps });
  const schedule = {
    lr: config.lr,
    minLr: config.min_lr ?? 0,
    warmupEpochs: config.warmup_epochs,
    epochs: config.epochs,
  };
  for (let step = 0; step < config.steps; step++) {
    const rate = warmupCosine(schedule, step / config.iterations_per_epoch);
    checks.push({
      name: `rate ${step + 1}`,
      error: Math.abs(rate - io.get("lrs")!.data[step]),
      tolerance: 1e-15,
    });
    const { loss, gradients } = lossAndGradients(() => lossAt(step), optimizer.variables());
    const error = maxAbsError(loss.dataSync(), [io.get("losses")!.data[step]]);
    checks.push({ name: `loss ${step + 1}`, error, tolerance: tolerance.loss_abs });
    optimizer.update(gradients, rate);
    const host = hostGradients(gradients);
    if (step > 0) continue;
    const relative = tolerance.grads_rel_to_tensor_max;
    const bounds = { abs: tolerance.grads_abs, relative };
    checks.push(...compareAll("first gradients", host, load(folder, "grads_step1.safetensors"), bounds));
  }
  checks.push(...(await compareParameters(folder, model, tolerance)));
  return checks;
}

/** Final parameters; the key third of each qkv bias has no true gradient and a tolerance of its own. */
export async function compareParameters(
  folder: string,
  model: Module,
  tolerance: Tolerances,
): Promise<Check[]> {
  const actual = await hostParameters(model);
  let keyBias = 0;
  let others = 0;
  for (const [path, golden] of load(folder, "params_after.safetensors")) {
    const values = actual.get(path) ?? [];
    if (!path.endsWith("attn.qkv.bias")) {
      others = Math.max(others, maxAbsError(values, golden.data));
      continue;
    }
    const third = golden.data.length / 3;
    for (const [i, bound] of [0, 1, 2].entries()) {
      const slice = (x: ArrayLike<number>) =>
        Array.prototype.slice.call(x, bound * third, (bound + 1) * third);
      const error = maxAbsError(slice(values), slice(golden.data));
      if (i === 1) keyBias = Math.max(keyBias, error);
      else others = Math.max(others, error);
    }
  }
  return [
    { name: "parameters after", error: others, tolerance: tolerance.params_abs },
    { name: "key biases after", error: keyBias, tolerance: tolerance.params_key_bias_abs },
  ];
}

export function goldenBlock(config: Record<string, number>) {
  const block = randomBlock(luvitLlamaConfig(config));
  const targets = config.lora_targets as unknown as string[];
  lora.attach(block, { rank: config.lora_r, alpha: config.lora_alpha, targets });
  return block;
}

function buildMae(config: Record<string, number>, options: { normFirst?: boolean; rmsNorm?: boolean }) {
  return new MaskedAutoencoder({
    encoder: vitConfig(config),
    fusion: through(goldenBlock(config), options),
    decoder: {
      dim: config.decoder_embed_dim,
      depth: config.decoder_depth,
      heads: config.decoder_num_heads,
      mlpRatio: config.mlp_ratio,
    },
    maskRatio: config.mask_ratio,
    normPixLoss: Boolean(config.norm_pix_loss),
  });
}

const setDifference = (a: Iterable<string>, b: Iterable<string>) => {
  const [left, right] = [new Set(a), new Set(b)];
  return [...left].filter((x) => !right.has(x)).length + [...right].filter((x) => !left.has(x)).length;
};

function checkFrozen(model: Module, meta: CaseFile): Check[] {
  const frozen = [...model.namedParameters()].filter(([, p]) => !p.trainable).map(([path]) => path);
  return [{ name: "frozen parameters", error: setDifference(frozen, meta.frozen_parameters), tolerance: 0 }];
}

export function checkGroups(rules: ParameterRules, meta: CaseFile): Check[] {
  let wrong = 0;
  let seen = 0;
  for (const group of meta.optimizer_groups as {
    weight_decay: number;
    lr_scale?: number;
    params: string[];
  }[]) {
    for (const path of group.params) {
      const rule = rules.get(path);
      seen++;
      if (!rule || rule.weightDecay !== group.weight_decay || !close(rule.lrScale, group.lr_scale ?? 1))
        wrong++;
    }
  }
  return [{ name: "optimizer groups", error: wrong + Math.abs(seen - rules.size), tolerance: 0 }];
}

const close = (a: number, b: number) => Math.abs(a - b) <= 1e-15;

function checkMixing(io: GoldenTensors, config: Record<string, number>, tolerance: Tolerances): Check[] {
  let images = 0;
  let targets = 0;
  for (let step = 0; step < config.steps; step++) {
    const mixed = mixBatch({
      images: atStep(io.get("images")!, step).data as Float32Array,
      labels: atStep(io.get("labels")!, step).data as Int32Array,
      height: config.img_size,
      width: config.img_size,
      classes: config.num_classes,
      smoothing: config.smoothing,
      lambda: io.get("lam")!.data[step],
    });
    images = Math.max(images, maxAbsError(mixed.images, atStep(io.get("mixed_images")!, step).data));
    targets = Math.max(targets, maxAbsError(mixed.targets, atStep(io.get("soft_targets")!, step).data));
  }
  return [
    { name: "mixed images", error: images, tolerance: tolerance.mixed_images_abs },
    { name: "soft targets", error: targets, tolerance: tolerance.soft_targets_abs },
  ];
}

interface GoldenGroup {
  name: string;
  shape: number[];
  layer_id?: number;
  lr_scale?: number;
  weight_decay: number;
}

/** Names, shapes, groups and trainable counts of full-size LUViT-B; no weight is ever allocated for this. */
async function checkFullSizeGroups(folder: string): Promise<Check[]> {
  const golden = JSON.parse(readFileSync(join(folder, "param_groups.json"), "utf8"));
  const block = randomBlock(llama7b);
  lora.attach(block, { rank: 16 });
  const mae = new MaskedAutoencoder({ encoder: base16, fusion: block, decoder: decoder512x8 });
  const classifier = await fromPretrained(mae, { classes: 1000 });
  const { pretrain } = golden as { pretrain: GoldenGroup[] };
  const weightDecay = Math.max(...pretrain.map((group) => group.weight_decay)); // the file's own, not the case's
  const checks: Check[] = [
    {
      name: "LUViT-B finetuning parameters",
      error: Math.abs(classifier.counts().trainable - golden.finetune_trainable_elements),
      tolerance: 0,
    },
    {
      name: "LUViT-B pretraining parameters",
      error: Math.abs(mae.counts().trainable - golden.pretrain_trainable_elements),
      tolerance: 0,
    },
    compareGroups("LUViT-B pretraining groups", mae, pretrainRules(mae, weightDecay), pretrain),
  ];
  for (const [decay, groups] of Object.entries(golden.finetune as Record<string, GoldenGroup[]>)) {
    const options = { weightDecay, layerDecay: Number(decay), depth: base16.depth };
    checks.push(
      compareGroups(`LUViT-B layer decay ${decay}`, classifier, finetuneRules(classifier, options), groups),
    );
  }
  return checks;
}

function compareGroups(name: string, model: Module, rules: ParameterRules, golden: GoldenGroup[]): Check {
  const shapes = new Map([...model.namedParameters()].map(([path, p]) => [path, p.shape.join()]));
  const wrong = golden.filter((group) => {
    const rule = rules.get(group.name);
    if (!rule || shapes.get(group.name) !== group.shape.join()) return true;
    const scaleIsRight = Math.abs(rule.lrScale - (group.lr_scale ?? 1)) < 1e-12;
    const layerIsRight = group.layer_id === undefined || rule.layer === group.layer_id;
    return rule.weightDecay !== group.weight_decay || !scaleIsRight || !layerIsRight;
  });
  return { name, error: wrong.length + Math.abs(golden.length - rules.size), tolerance: 0 };
}
