import { type Tensor, tf } from "../../src/core/tf";
import { randomBlock } from "../../src/models/baselines";
import { WindowedViT } from "../../src/models/detector/vitDet";
import { type FusionPlan, through } from "../../src/models/fusion";
import * as lora from "../../src/models/lora";
import { boundOf, channelsFirst, compareResults, renamed } from "./detector";
import { type Execute, type Results, withGradients } from "./execute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { type GoldenTensors, load, luvitLlamaConfig, stateDict } from "./support";

// biome-ignore lint/suspicious/noExplicitAny: a config differs per case
export const windowedConfig = (config: any) => ({
  imageSize: config.img_size,
  patchSize: config.patch_size,
  dim: config.embed_dim,
  depth: config.depth,
  heads: config.num_heads,
  mlpRatio: config.mlp_ratio,
  windowSize: config.window_size,
  globalBlocks: Array.from({ length: config.depth }, (_, i) => i).filter(
    (i) => !config.window_block_indexes.includes(i),
  ),
  pretrainImageSize: config.pretrain_img_size,
  normEps: config.norm_eps,
});

const isKeyBias = (path: string) => path.endsWith("attn.qkv.bias");

/** The key third of a qkv bias. */
export function keyThird(data: ArrayLike<number>): number[] {
  const third = data.length / 3;
  return Array.prototype.slice.call(data, third, 2 * third);
}

const withoutKeys = (data: ArrayLike<number>): Float32Array => {
  const kept = Float32Array.from(data);
  return kept.fill(0, data.length / 3, (2 * data.length) / 3);
};

/** Gradients; the key third of every qkv bias, which has no true one, by a tolerance of its own. */
export function compareGradients(
  name: string,
  results: Results,
  golden: GoldenTensors,
  meta: CaseFile,
): Check[] {
  const masked = (tensors: Iterable<[string, GoldenTensor["data"]]>): Results =>
    new Map([...tensors].map(([path, data]) => [path, isKeyBias(path) ? withoutKeys(data) : data]));
  const expected = new Map(
    [...golden].map(([path, tensor]) => [
      path,
      isKeyBias(path) ? { ...tensor, data: withoutKeys(tensor.data) } : tensor,
    ]),
  );
  const keys = [...golden].filter(([path]) => isKeyBias(path));
  const worst = keys.map(([path, { data }]) =>
    maxAbsError(keyThird(results.get(path) ?? []), keyThird(data)),
  );
  return [
    ...compareResults(name, masked(results), expected, boundOf(meta, "grads")),
    {
      name: `${name}, key biases`,
      error: Math.max(...worst),
      tolerance: meta.recommended_tolerance.grads_key_bias_abs,
    },
  ];
}

interface Expectation {
  fusion?(meta: CaseFile): FusionPlan;
  /** Golden values by the names of taps and results. */
  values(meta: CaseFile): Record<string, string>;
}

/** Golden names without their input's number, from what the model taps. */
const plain: Expectation = {
  values: ({ config }) => ({
    tokens: "tokens",
    ...Object.fromEntries(Array.from({ length: config.depth }, (_, i) => [`blocks.${i}.out`, `block_${i}`])),
    map: "last_feat",
  }),
};

const withLlama: Expectation = {
  fusion: ({ config }) => {
    const block = randomBlock(luvitLlamaConfig(config));
    lora.attach(block, { rank: config.lora_r, alpha: config.lora_alpha, targets: config.lora_targets });
    return through(block, { rmsNorm: false });
  },
  values: () => ({ "fusion.mapper1": "mapped", "fusion.block": "llama_out", map: "last_feat" }),
};

const runner =
  ({ fusion, values }: Expectation) =>
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const io = load(folder, "io.safetensors");
    const state = stateDict(load(folder, "state.safetensors"));
    const names = values(meta);
    const checks: Check[] = [];
    for (const [i] of meta.config.inputs.entries()) {
      const model = new WindowedViT(windowedConfig(meta.config), fusion?.(meta), 0);
      model.loadStateDict(state);
      if (i === 0 && meta.frozen_parameters) checks.push(frozenCheck(model, meta));
      const named = (name: string) => io.get(`${name}_${i + 1}`)!;
      const results = await execute({
        name: `backbone ${i + 1}`,
        model,
        inputs: { input: named("input"), upstream: named("upstream") },
        body: (given) => {
          const seen: Record<string, Tensor> = {};
          const tap = (name: string, value: Tensor) => {
            if (name in names) seen[name] = value;
          };
          seen.map = channelsFirst(model.forward(given.input, { tap }));
          const loss = ({ input, upstream }: Readonly<Record<string, Tensor>>) =>
            tf.sum(tf.mul(channelsFirst(model.forward(input)), upstream));
          return { ...seen, ...withGradients(model, given, ["input"], loss) };
        },
      });
      const expected = new Map(Object.entries(names).map(([tap, name]) => [tap, named(name)]));
      const stored = meta.files[`grads_${i + 1}.safetensors`]
        ? load(folder, `grads_${i + 1}.safetensors`)
        : new Map();
      const gradients = renamed(stored, (name) => `grad.${name}`).set("grad.input", named("grad_input"));
      checks.push(
        ...compareResults(`values ${i + 1}`, results, expected, boundOf(meta, "values")),
        ...compareGradients(`gradients ${i + 1}`, results, gradients, meta),
      );
    }
    return checks;
  };

function frozenCheck(model: WindowedViT, meta: CaseFile): Check {
  const frozen = [...model.namedParameters()].filter(([, p]) => !p.trainable).map(([path]) => path);
  const same = [...frozen].sort().join() === [...meta.frozen_parameters].sort().join();
  return { name: "frozen parameters", error: same ? 0 : 1, tolerance: 0 };
}

export const backboneRunner = runner(plain);
export const luvitBackboneRunner = runner(withLlama);
