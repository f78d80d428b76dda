import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tf";
import { zeros } from "../../src/nn/init";
import { Module } from "../../src/nn/module";
import { Parameter } from "../../src/nn/parameter";
import { AdamW } from "../../src/optim/adamw";
import { warmupCosine } from "../../src/optim/schedule";
import { type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { atStep, load, stateDict, tensor } from "./support";

class NamedTensors extends Module {
  constructor(shapes: Record<string, number[]>) {
    super();
    for (const [name, shape] of Object.entries(shapes))
      Object.assign(this, { [name]: new Parameter(shape, zeros, 0) });
  }
}

export const runAdamW: CaseRunner = async (
  folder,
  { config, recommended_tolerance: tolerance, lr_per_step: rates },
) => {
  const golden = load(folder, "tensors.safetensors");
  const names = [...golden.keys()]
    .filter((name) => name.endsWith(".initial"))
    .map((name) => name.split(".")[0])
    .sort();
  const model = new NamedTensors(Object.fromEntries(names.map((name, i) => [name, config.shapes[i]])));
  model.loadStateDict(stateDict(new Map(names.map((name) => [name, golden.get(`${name}.initial`)!]))));
  const rules = new Map(
    names.map((name, i) => [name, { weightDecay: config.wd[i], lrScale: config.lr_scale[i] }]),
  );
  const optimizer = new AdamW(model, rules, { betas: config.betas, eps: config.eps });
  const checks: Check[] = [];
  for (let step = 0; step < config.steps; step++) {
    const gradients = new Map<string, Tensor>();
    for (const name of names) gradients.set(name, tensor(atStep(golden.get(`${name}.grads`)!, step)));
    optimizer.update(gradients, rates[step]);
    const state = await model.stateDict();
    const errors = names.map((name) =>
      maxAbsError(state.get(name)!.data, atStep(golden.get(`${name}.values`)!, step).data),
    );
    checks.push({ name: `step ${step + 1}`, error: Math.max(...errors), tolerance: tolerance.values_abs });
  }
  const moments = await optimizer.state();
  for (const [name, { data }] of moments) {
    checks.push({
      name,
      error: relativeToTensorMax(data, golden.get(name)!.data),
      tolerance: tolerance.values_abs,
    });
  }
  return checks;
};

interface GoldenSchedule {
  name: string;
  base_lr: number;
  warmup_epochs: number;
  epochs: number;
  min_lr: number;
  iterations_per_epoch: number;
  iterations: number[];
  lr: number[];
  lr_scales: number[];
  lr_scaled_at_points: number[][];
}

export const runSchedules: CaseRunner = async (folder, { recommended_tolerance: tolerance }) => {
  const schedules = JSON.parse(readFileSync(join(folder, "schedules.json"), "utf8")) as GoldenSchedule[];
  return schedules.map((s) => {
    const schedule = { lr: s.base_lr, minLr: s.min_lr, warmupEpochs: s.warmup_epochs, epochs: s.epochs };
    let worst = 0;
    for (const [i, iteration] of s.iterations.entries()) {
      const within = iteration % s.iterations_per_epoch;
      const epoch = Math.floor(iteration / s.iterations_per_epoch) + within / s.iterations_per_epoch;
      const rate = warmupCosine(schedule, epoch);
      worst = Math.max(worst, relative(rate, s.lr[i]));
      for (const [j, scale] of s.lr_scales.entries()) {
        worst = Math.max(worst, relative(rate * scale, s.lr_scaled_at_points[i][j]));
      }
    }
    return { name: s.name, error: worst, tolerance: tolerance.relative };
  });
};

const relative = (actual: number, expected: number) =>
  actual === expected ? 0 : Math.abs(actual - expected) / Math.abs(expected);
