import { join } from "node:path";
import type { StateDict } from "../../src/core/hostTensor";
import { type Tensor, tf } from "../../src/core/tf";
import type { LlamaConfig } from "../../src/models/llamaConfig";
import type { Module } from "../../src/nn/module";
import { type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { type GoldenTensor, readTensors } from "./readTensors";

export type GoldenTensors = Map<string, GoldenTensor>;

export const load = (folder: string, file: string): GoldenTensors => readTensors(join(folder, file));

/** A golden tensor as a tfjs tensor; int32 stays int32. */
export function tensor(golden: GoldenTensor): Tensor {
  return tf.tensor(golden.data as Float32Array, golden.shape, golden.dtype === "I32" ? "int32" : "float32");
}

/** Entry `step` of a golden tensor whose first axis counts steps. */
export function atStep(golden: GoldenTensor, step: number): GoldenTensor {
  const shape = golden.shape.slice(1);
  const size = shape.reduce((a, b) => a * b, 1);
  return { ...golden, shape, data: golden.data.slice(step * size, (step + 1) * size) };
}

export function stateDict(
  golden: GoldenTensors,
  rename: (name: string) => string = (name) => name,
): StateDict {
  return new Map(
    [...golden].map(([name, t]) => [rename(name), { shape: t.shape, data: t.data as Float32Array }]),
  );
}

export function absolute(name: string, actual: Tensor, expected: GoldenTensor, tolerance: number): Check {
  return { name, error: maxAbsError(actual.dataSync(), expected.data), tolerance };
}

/** The error in units of the expected tensor's largest number. */
export function relative(name: string, actual: Tensor, expected: GoldenTensor, tolerance: number): Check {
  return { name, error: relativeToTensorMax(actual.dataSync(), expected.data), tolerance };
}

/** The worst tensor of a set by absolute and, if asked, by relative error: one or two checks. */
export function compareAll(
  name: string,
  actual: ReadonlyMap<string, ArrayLike<number>>,
  expected: GoldenTensors,
  tolerance: { abs: number; relative?: number; skip?: (path: string) => boolean },
): Check[] {
  let worstAbs = 0;
  let worstRelative = 0;
  for (const [path, golden] of expected) {
    if (tolerance.skip?.(path)) continue;
    const values = actual.get(path) ?? [];
    worstAbs = Math.max(worstAbs, maxAbsError(values, golden.data));
    worstRelative = Math.max(worstRelative, relativeToTensorMax(values, golden.data));
  }
  const checks = [{ name: `${name} (worst tensor)`, error: worstAbs, tolerance: tolerance.abs }];
  if (tolerance.relative !== undefined) {
    checks.push({
      name: `${name} relative to tensor max`,
      error: worstRelative,
      tolerance: tolerance.relative,
    });
  }
  return checks;
}

/** Gradients by path as host arrays; disposes them. */
export function hostGradients(gradients: Map<string, Tensor>): Map<string, ArrayLike<number>> {
  const host = new Map([...gradients].map(([path, gradient]) => [path, gradient.dataSync()]));
  for (const gradient of gradients.values()) gradient.dispose();
  return host;
}

export async function hostParameters(model: Module): Promise<Map<string, ArrayLike<number>>> {
  return new Map([...(await model.stateDict())].map(([path, t]) => [path, t.data]));
}

/** The ViT part of a golden config. */
export function vitConfig(config: Record<string, number>) {
  return {
    imageSize: config.img_size,
    patchSize: config.patch_size,
    dim: config.embed_dim,
    depth: config.depth,
    heads: config.num_heads,
    mlpRatio: config.mlp_ratio,
  };
}

/** LUViT's switches on the LLaMA shape of a golden config. */
export function luvitLlamaConfig(config: Record<string, number>): LlamaConfig {
  return {
    dim: config.llm_dim,
    heads: config.llm_heads,
    hiddenDim: config.llm_ffn_dim,
    normEps: config.llm_eps,
    ropeTheta: 10000,
    causal: false,
    rope: false,
    rowOrder: "meta",
  };
}
