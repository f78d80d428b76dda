import { Rng } from "../../src/core/rng";
import { type Tensor, tf } from "../../src/core/tf";
import { hfToMetaName, type RowOrder } from "../../src/io/llama/keymap";
import { LlamaBlock } from "../../src/models/llamaBlock";
import { type CaseFile, type CaseRunner, type Check, relativeToRowMax } from "./harness";
import { absolute, load, stateDict, tensor } from "./support";

const runLlamaBlock =
  (causal: boolean): CaseRunner =>
  async (folder, meta) => {
    const checks: Check[] = [];
    for (const rowOrder of ["meta", "hf"] as const) checks.push(...runFormat(folder, meta, rowOrder, causal));
    return checks;
  };

/** Bidirectional, no rotation: LUViT's block. */
export const runBidirectionalBlock = runLlamaBlock(false);
/** Causal with rotation: the block as its language model uses it. */
export const runCausalBlock = runLlamaBlock(true);

function runFormat(
  folder: string,
  { config, recommended_tolerance: tolerance }: CaseFile,
  rowOrder: RowOrder,
  causal: boolean,
) {
  const io = load(folder, "io.safetensors");
  const layer = new LlamaBlock(
    {
      dim: config.dim,
      heads: config.n_heads,
      hiddenDim: config.ffn_dim,
      normEps: config.norm_eps,
      ropeTheta: config.rope_theta,
      causal,
      rope: causal,
      rowOrder,
    },
    new Rng(0),
  );
  const prefix = `layers.${config.layer}.`;
  const rename = (name: string) => (rowOrder === "hf" ? hfToMetaName(name)! : name).slice(prefix.length);
  layer.loadStateDict(stateDict(load(folder, `weights_${rowOrder}.safetensors`), rename));
  const x = tensor(io.get("input")!);
  const checks = [absolute(`${rowOrder} output`, layer.forward(x), io.get("output")!, tolerance.output_abs)];
  if (!causal) {
    const normal = layer.attention_norm.forward(x);
    checks.push(
      absolute(`${rowOrder} first norm`, normal, io.get("attention_norm_out")!, tolerance.output_abs),
    );
    const attended = layer.attention.forward(normal, {}, "attention");
    checks.push(absolute(`${rowOrder} attention`, attended, io.get("attention_out")!, tolerance.output_abs));
  }
  const upstream = tensor(io.get("grad_output")!);
  const gradient = tf.grad((input: Tensor) => tf.sum(tf.mul(layer.forward(input), upstream)))(x);
  const error = relativeToRowMax(gradient.dataSync(), io.get("grad_input")!.data, config.dim);
  checks.push({
    name: `${rowOrder} grad_input by row`,
    error,
    tolerance: tolerance.grad_input_rel_to_row_max,
  });
  return checks;
}
