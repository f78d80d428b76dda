import { LinearProbe } from "../../src/analysis/probe/linearProbe";
import { nearestNeighbors } from "../../src/analysis/probe/nearestNeighbors";
import { openProbe } from "../../src/analysis/probe/openProbe";
import { Rng } from "../../src/core/rng";
import type { EngineOptions } from "../../src/engine";
import { scaledRate, warmupCosine } from "../../src/optim/schedule";
import { openComputation } from "./compute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { atStep, type GoldenTensors, load } from "./support";

/** MAE's linear probe step by step and DINO's nearest neighbors, on tfjs (op by op) or through an engine. */
export const runLinearProbe =
  (engine: EngineOptions = { engine: "eager" }): CaseRunner =>
  async (folder, meta) => {
    const golden = load(folder, "linear.safetensors");
    const checks = schedule(golden, meta);
    for (const variant of Object.keys(meta.config.variants)) {
      checks.push(...(await steps(variant, golden, meta, engine)));
    }
    checks.push(...(await neighbors(load(folder, "knn.safetensors"), meta, engine)));
    const compared = checks.map(({ name }) => name);
    const given = ["inputs", "labels", "weight0", "bias0", "schedule_epochs"];
    const missing = [...golden.keys()].filter((name) => !given.includes(name) && !compared.includes(name));
    return [...checks, { name: `not compared: ${missing}`, error: missing.length, tolerance: 0 }];
  };

function schedule(golden: GoldenTensors, { config, recommended_tolerance: tolerance }: CaseFile): Check[] {
  const own = {
    ...config.schedule,
    minLr: config.schedule.min_lr,
    warmupEpochs: config.schedule.warmup_epochs,
  };
  const { lr, minLr, warmupEpochs, epochs } = own;
  const rates = Array.from(golden.get("schedule_epochs")!.data, (epoch) =>
    warmupCosine({ lr, minLr, warmupEpochs, epochs }, epoch),
  );
  const short = Array.from(golden.get("lrs")!.data, (_, step) => rateOf(config, step));
  return [
    {
      name: "schedule_lrs",
      error: maxAbsError(rates, golden.get("schedule_lrs")!.data),
      tolerance: tolerance.lr_abs,
    },
    { name: "lrs", error: maxAbsError(short, golden.get("lrs")!.data), tolerance: tolerance.lr_abs },
  ];
}

function rateOf(config: CaseFile["config"], step: number): number {
  const lr = scaledRate(config.base_lr, config.effective_batch);
  const plan = { lr, minLr: config.min_lr, warmupEpochs: config.warmup_epochs, epochs: config.epochs };
  return warmupCosine(plan, step / config.iterations_per_epoch);
}

async function steps(
  variant: string,
  golden: GoldenTensors,
  { config, recommended_tolerance: tolerance }: CaseFile,
  engine: EngineOptions,
): Promise<Check[]> {
  const { features, classes, batch, momentum, trust_coefficient: trust } = config;
  const { weight_decay: weightDecay, start } = config.variants[variant];
  const probe = new LinearProbe(features, classes, new Rng(0));
  const [, linear] = probe.head;
  const initial = (name: string) => {
    const { shape, data } = golden.get(name)!;
    return { shape, data: start === "zeros" ? new Float32Array(data.length) : (data as Float32Array) };
  };
  linear.weight.load(initial("weight0"));
  linear.bias!.load(initial("bias0"));
  const training = await openProbe(probe, batch, { momentum, trust, weightDecay }, engine);
  const found: Record<string, number[]> = {};
  const add = (name: string, values: ArrayLike<number>) => {
    found[name] = [...(found[name] ?? []), ...Array.from(values)];
  };
  for (let step = 0; step < config.steps; step++) {
    const inputs = atStep(golden.get("inputs")!, step).data as Float32Array;
    const labels = atStep(golden.get("labels")!, step).data;
    const results = await training.step(inputs, labels, rateOf(config, step));
    add("loss", results.loss);
    add("logits", results.logits);
    add("grad_weight", results["head.1.weight.gradient"]);
    add("grad_bias", results["head.1.bias.gradient"]);
    const buffers = await training.buffers();
    add("mu_weight", buffers["head.1.weight.mu"]);
    add("mu_bias", buffers["head.1.bias.mu"]);
    await training.sync();
    const state = await probe.stateDict();
    add("weight", state.get("head.1.weight")!.data);
    add("bias", state.get("head.1.bias")!.data);
    add("running_mean", state.get("head.0.running_mean")!.data);
    add("running_var", state.get("head.0.running_var")!.data);
  }
  await training.dispose();
  const tracked = (await probe.stateDict()).get("head.0.num_batches_tracked")!.data[0];
  const evaluation = await openComputation(
    probe,
    { inputs: [batch, features] },
    ({ inputs }) => ({ logits: probe.forward(inputs) }),
    engine.engine === "eager" ? undefined : engine,
  );
  const last = atStep(golden.get("inputs")!, config.steps - 1).data;
  add("eval_logits", (await evaluation.run({ inputs: last })).logits);
  await evaluation.dispose();
  const bounds: [RegExp, string][] = [
    [/loss/, "loss_abs"],
    [/logits/, "logits_abs"],
    [/grad/, "grads_rel_to_tensor_max"],
    [/running/, "running_rel_to_tensor_max"],
    [/./, "weights_rel_to_tensor_max"],
  ];
  const checks = Object.entries(found).flatMap(([name, values]): Check[] => {
    const expected = golden.get(`${variant}.${name}`);
    if (!expected) return [];
    const bound = bounds.find(([pattern]) => pattern.test(name))![1];
    const error = bound.endsWith("_abs")
      ? maxAbsError(values, expected.data)
      : relativeToTensorMax(values, expected.data);
    return [{ name: `${variant}.${name}`, error, tolerance: tolerance[bound] }];
  });
  return [
    ...checks,
    { name: `${variant}: batches tracked`, error: Math.abs(tracked - config.steps), tolerance: 0 },
  ];
}

async function neighbors(
  golden: GoldenTensors,
  { config, recommended_tolerance: tolerance, results }: CaseFile,
  engine: EngineOptions,
): Promise<Check[]> {
  const set = (name: string) => ({
    values: golden.get(`${name}_features`)!.data as Float32Array,
    dim: config.knn.features as number,
    labels: golden.get(`${name}_labels`)!.data as Int32Array,
  });
  const { k, temperature } = config.knn;
  const found = await nearestNeighbors(set("train"), set("test"), {
    k,
    temperature,
    classes: config.knn.classes,
    ...engine,
  });
  return found.flatMap(({ k, votes, predictions, top1 }): Check[] => [
    {
      name: `votes_k${k}`,
      error: relativeToTensorMax(votes, golden.get(`votes_k${k}`)!.data),
      tolerance: tolerance.knn_votes_rel_to_tensor_max,
    },
    {
      name: `predictions_k${k}`,
      error: maxAbsError(predictions, golden.get(`predictions_k${k}`)!.data),
      tolerance: 0,
    },
    { name: `top1_k${k}`, error: Math.abs(top1 - results.knn[k].top1), tolerance: tolerance.knn_top1 },
  ]);
}
