import { Rng } from "../../src/core/rng";
import { tf } from "../../src/core/tf";
import { hfToMetaName } from "../../src/io/llama/keymap";
import { LlamaBlocks } from "../../src/models/llamaBlock";
import type { LlamaConfig } from "../../src/models/llamaConfig";
import { prefixMask } from "../../src/nn/attentionMask";
import { RMSNorm } from "../../src/nn/layers";
import { type Evaluate, WithInput } from "./gradients";
import { type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { compareAll, type GoldenTensors, load, stateDict, tensor } from "./support";

/** A language model's config as the cases have it; rows in the order of transformers. */
export function languageConfig(config: Record<string, number | boolean>): LlamaConfig {
  return {
    dim: config.hidden as number,
    heads: config.heads as number,
    kvHeads: config.kv_heads as number,
    hiddenDim: config.ffn as number,
    normEps: config.eps as number,
    ropeTheta: config.rope_theta as number,
    qkvBias: Boolean(config.qkv_bias),
    causal: true,
    rope: true,
    rowOrder: "hf",
  };
}

/** The blocks of a case's language model with the norm behind them. */
export function languageBlocks(config: Readonly<Record<string, number>>): LlamaBlocks {
  const llama = languageConfig(config);
  const blocks = new LlamaBlocks({
    config: llama,
    depth: config.layers,
    rng: new Rng(0),
    origin: "a golden case",
  });
  return blocks.withNorm(new RMSNorm(llama.dim, llama.normEps));
}

/** Golden names in those of the original release. */
export const inMetaNames = (golden: GoldenTensors): GoldenTensors =>
  new Map([...golden].map(([name, x]) => [hfToMetaName(name)!, x]));

/** The sequences of [B, T] as rows. */
export const rowsOf = ({ shape: [count, length], data }: GoldenTensor): number[][] =>
  Array.from({ length: count }, (_, i) => Array.from(data.slice(i * length, (i + 1) * length)));

export const runPrefixMask =
  (evaluate: Evaluate): CaseRunner =>
  async (folder, { config, recommended_tolerance: tolerance }) => {
    const io = load(folder, "io.safetensors");
    const [image, real] = [rowsOf(io.get("token_type_ids")!), rowsOf(io.get("attention_mask")!)];
    const all = prefixMask({ image, real });
    const checks: Check[] = [
      { name: "visible", error: maxAbsError(all.visible, io.get("visible")!.data), tolerance: 0 },
    ];
    const used = config.used_for_outputs as number[];
    const mask = prefixMask({ image: used.map((i) => image[i]), real: used.map((i) => real[i]) });
    const model = new WithInput(languageBlocks(config.language), io.get("input")!);
    model.model.loadStateDict(stateDict(inMetaNames(load(folder, "state.safetensors"))));
    const { results, gradients } = await evaluate({
      model,
      inputs: { mask: mask.tensor(), upstream: tensor(io.get("grad_output")!) },
      body: ({ mask: visible, upstream }) => {
        const output = model.model.forward(model.input.value, { mask: visible });
        return { output, loss: tf.sum(tf.mul(output, upstream)) };
      },
    });
    const expected = inMetaNames(load(folder, "grads.safetensors"));
    checks.push(
      {
        name: "output",
        error: maxAbsError(results.output, io.get("output")!.data),
        tolerance: tolerance.output_abs,
      },
      {
        name: "grad_input",
        error: relativeToTensorMax(gradients.get("input") ?? [], io.get("grad_input")!.data),
        tolerance: tolerance.grad_input_rel_to_tensor_max,
      },
      ...compareAll("gradients", gradients, expected, {
        abs: tolerance.grads_abs,
        relative: tolerance.grads_rel_to_tensor_max,
      }),
    );
    return checks;
  };
