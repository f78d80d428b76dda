import { Rng } from "../../src/core/rng";
import { type Tensor, tf } from "../../src/core/tf";
import { hfToMetaName } from "../../src/io/llama/keymap";
import { LlamaAttention, type LlamaBlock } from "../../src/models/llamaBlock";
import { freshVisionQkv, qkvNames } from "../../src/models/visionQkv";
import { type AttentionMask, prefixMask } from "../../src/nn/attentionMask";
import type { Context, TokenRange } from "../../src/nn/context";
import type { Linear } from "../../src/nn/layers";
import type { Module } from "../../src/nn/module";
import { type Evaluate, type Evaluated, eagerly, WithInput } from "./gradients";
import { type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { inMetaNames, languageBlocks, languageConfig, rowsOf } from "./masks";
import type { GoldenTensor } from "./readTensors";
import { compareAll, type GoldenTensors, load, stateDict, tensor } from "./support";

/** Gives attention matrices of its own for tokens of images, to be loaded. */
export function withVision(attention: LlamaAttention): void {
  attention.vision = freshVisionQkv(attention, undefined, new Rng(0));
}

/** Runs of image tokens: those of all sequences where they are alike, else of each its own. */
export function rangesOf(vision: GoldenTensor): readonly TokenRange[] | readonly (readonly TokenRange[])[] {
  const rows = rowsOf(vision);
  const isAlike = rows.every((row) => row.join() === rows[0].join());
  return isAlike ? runsOf(rows[0]) : rows.map(runsOf);
}

function runsOf(flags: readonly number[]): TokenRange[] {
  const starts = flags.flatMap((flag, i) => (flag === 1 && flags[i - 1] !== 1 ? [i] : []));
  return starts.map((start) => {
    const after = flags.findIndex((flag, i) => i > start && flag !== 1);
    return { start, end: after < 0 ? flags.length : after };
  });
}

interface Variant {
  model: WithInput<Module>;
  forward(context: Context): Tensor;
  visual: ReturnType<typeof rangesOf>;
  mask: AttentionMask;
  upstream: GoldenTensor;
}

const runWith = (
  evaluate: Evaluate,
  { model, forward, visual, mask, upstream }: Variant,
): Promise<Evaluated> =>
  evaluate({
    model,
    inputs: { mask: mask.tensor(), upstream: tensor(upstream) },
    body: ({ mask: seen, upstream: towards }) => {
      const output = forward({ mask: seen, visual });
      return { output, loss: tf.sum(tf.mul(output, towards)) };
    },
  });

function compare(
  name: string,
  { results, gradients }: Evaluated,
  golden: { output: GoldenTensor; input: GoldenTensor; matrices: GoldenTensors },
  tolerance: Record<string, number>,
): Check[] {
  const towardsInput = relativeToTensorMax(gradients.get("input") ?? [], golden.input.data);
  const bounds = { abs: tolerance.grads_abs, relative: tolerance.grads_rel_to_tensor_max };
  return [
    {
      name: `${name} output`,
      error: maxAbsError(results.output, golden.output.data),
      tolerance: tolerance.output_abs,
    },
    { name: `${name} grad_input`, error: towardsInput, tolerance: tolerance.grad_input_rel_to_tensor_max },
    ...compareAll(`${name} gradients`, gradients, golden.matrices, bounds),
  ];
}

const masksOf = (vision: GoldenTensor) => {
  const image = rowsOf(vision);
  return {
    causal: prefixMask({ image: image.map((row) => row.map(() => 0)) }),
    prefix: prefixMask({ image }),
  };
};

export const runVisionQkv =
  (evaluate: Evaluate): CaseRunner =>
  async (folder, { config, recommended_tolerance: tolerance }) => {
    const io = load(folder, "io.safetensors");
    const vision = io.get("vision")!;
    const visual = rangesOf(vision);
    const checks: Check[] = [];
    for (const [name, sizes] of Object.entries<Record<string, number>>(config.models)) {
      const blocks = languageBlocks(sizes);
      for (const { attention } of blocks.layers) withVision(attention);
      const model = new WithInput(blocks, io.get(`${name}.input`)!);
      const forward = (context: Context) => blocks.forward(model.input.value, context);
      const state = stateDict(inMetaNames(load(folder, `state_${name}.safetensors`)));
      const upstream = io.get(`${name}.grad_output`)!;
      blocks.loadStateDict(state);
      for (const [kind, mask] of Object.entries(masksOf(vision))) {
        const done = await runWith(evaluate, { model, forward, visual, mask, upstream });
        const golden = {
          output: io.get(`${name}.${kind}.output`)!,
          input: io.get(`${name}.${kind}.grad_input`)!,
          matrices: inMetaNames(load(folder, `grads_${name}_${kind}.safetensors`)),
        };
        checks.push(...compare(`${name} ${kind}`, done, golden, tolerance));
      }
      await copyText(blocks.layers);
      const mask = masksOf(vision).causal;
      const variant = { model, forward, visual, mask, upstream };
      const copied = await runWith(evaluate, variant);
      const expected = io.get(`${name}.copied_output`)!.data;
      // By tfjs; in products of TensorFlow the last bit of a row depends on how many rows there are.
      const [own, plain] = [
        await runWith(eagerly, variant),
        await runWith(eagerly, { ...variant, visual: [] }),
      ];
      checks.push(
        {
          name: `${name} copied output and the plain model`,
          error: maxAbsError(own.results.output, plain.results.output),
          tolerance: 0,
        },
        {
          name: `${name} copied output`,
          error: maxAbsError(copied.results.output, expected),
          tolerance: tolerance.output_abs,
        },
      );
    }
    return checks;
  };

async function copyText(layers: readonly LlamaBlock[]): Promise<void> {
  for (const { attention } of layers)
    for (const name of qkvNames) {
      const [own, text] = [attention.vision![`vision_${name}`] as Linear, attention[name]];
      own.loadStateDict(await text.stateDict());
    }
}

export const runVisionQkv2 =
  (evaluate: Evaluate): CaseRunner =>
  async (folder, { config, recommended_tolerance: tolerance }) => {
    const io = load(folder, "io.safetensors");
    const vision = io.get("vision")!;
    const attention = new LlamaAttention(languageConfig({ ffn: 1, eps: 1e-6, ...config }), new Rng(0));
    withVision(attention);
    const shortName = (name: string) => hfToMetaName(`layers.0.${name}`)!.replace("layers.0.attention.", "");
    attention.loadStateDict(stateDict(load(folder, "state.safetensors"), shortName));
    const model = new WithInput(attention, io.get("input")!);
    const grads = load(folder, "grads.safetensors");
    const checks: Check[] = [];
    for (const [kind, mask] of Object.entries(masksOf(vision))) {
      const done = await runWith(evaluate, {
        model,
        forward: (context) => attention.forward(model.input.value, context, "attention"),
        visual: rangesOf(vision),
        mask,
        upstream: io.get("grad_output")!,
      });
      const own = [...grads].filter(([name]) => name.startsWith(`${kind}.`));
      const matrices = new Map(
        own.map(([name, x]) => [shortName(`self_attn.${name.slice(kind.length + 1)}.weight`), x]),
      );
      const golden = { output: io.get(`${kind}.output`)!, input: io.get(`${kind}.grad_input`)!, matrices };
      checks.push(...compare(kind, done, golden, tolerance));
    }
    return checks;
  };
