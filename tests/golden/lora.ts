import { join } from "node:path";
import { Rng } from "../../src/core/rng";
import { tf } from "../../src/core/tf";
import { hfToMetaName } from "../../src/io/llama/keymap";
import { readAdapter } from "../../src/io/peft/peft";
import { applyAdapter } from "../../src/models/adapter";
import { LlamaLanguageModel } from "../../src/models/languageModel";
import * as lora from "../../src/models/lora";
import { Linear } from "../../src/nn/layers";
import { trainableVariables } from "../../src/nn/variables";
import { lossAndGradients } from "../../src/optim/gradients";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { absolute, hostGradients, load, stateDict, tensor } from "./support";

export const runLoraPeft: CaseRunner = async (folder, { config, recommended_tolerance: tolerance }) => {
  const io = load(folder, "io.safetensors");
  const model = new LlamaLanguageModel({
    dim: config.hidden_size,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads,
    hiddenDim: config.intermediate_size,
    normEps: config.rms_norm_eps,
    ropeTheta: config.rope_theta,
    causal: true,
    rope: true,
    rowOrder: "hf",
    depth: config.num_hidden_layers,
    vocabulary: config.vocab_size,
  });
  model.loadStateDict(stateDict(load(folder, "base_model.safetensors"), (name) => hfToMetaName(name)!));
  const ids = tensor(io.get("input_ids")!);
  const checks: Check[] = [];
  const logits = (name: string, bound: number) =>
    checks.push(absolute(name, model.forward(ids), io.get(name)!, bound));
  logits("base_logits", tolerance.logits_abs);

  applyAdapter(model, await readAdapter(join(folder, "adapter")));
  logits("lora_logits", tolerance.logits_abs);

  const target = tensor(io.get("target")!);
  const variables = trainableVariables(model);
  const { loss, gradients } = lossAndGradients(
    () => tf.mean(tf.square(tf.sub(model.forward(ids), target))),
    variables,
  );
  checks.push(absolute("loss", loss, io.get("loss")!, tolerance.logits_abs));
  const host = hostGradients(gradients);
  for (const [name, golden] of load(folder, "grads.safetensors")) {
    const part = /^(gate|up|down)_/.test(name) ? "mlp" : "self_attn";
    const path = hfToMetaName(`model.layers.${config.layer}.${part}.${name}.weight`)!;
    const error = maxAbsError(host.get(path) ?? [], golden.data);
    checks.push({ name: `gradient of ${name}`, error, tolerance: tolerance.grads_abs });
  }
  checks.push({
    name: "only the adapter is trainable",
    error: Math.abs(variables.size - host.size),
    tolerance: 0,
  });

  checks.push(...checkLinear(folder, config, tolerance.linear_abs));

  lora.merge(model);
  logits("merged_logits", tolerance.merged_logits_abs);
  const state = await model.stateDict();
  for (const [name, golden] of load(folder, "merged.safetensors")) {
    const error = maxAbsError(state.get(hfToMetaName(name)!)!.data, golden.data);
    checks.push({ name: `merged ${name}`, error, tolerance: tolerance.merged_weight_abs });
  }
  lora.unmerge(model);
  logits("lora_logits", tolerance.logits_abs);
  return checks;
};

/** The stand-alone linear layer: q_proj of the adapted layer on its own input, with gradients. */
function checkLinear(folder: string, config: Record<string, number>, bound: number): Check[] {
  const io = load(folder, "io.safetensors");
  const base = load(folder, "base_model.safetensors");
  const adapter = load(folder, "adapter/adapter_model.safetensors");
  const path = `model.layers.${config.layer}.self_attn.q_proj`;
  if (!io.has("linear_input")) return [];
  const weight = base.get(`${path}.weight`)!;
  const linear = new Linear(weight.shape[1], weight.shape[0], new Rng(0), { bias: false });
  linear.weight.load({ shape: weight.shape, data: weight.data as Float32Array });
  const x = tensor(io.get("linear_input")!);
  const checks = [absolute("linear base", linear.forward(x), io.get("linear_base_output")!, bound)];

  const [rank] = adapter.get(`base_model.model.${path}.lora_A.weight`)!.shape;
  const adapted = new lora.LoraLinear(linear, { rank, alpha: config.scaling * rank }, new Rng(0));
  for (const matrix of ["lora_A", "lora_B"] as const) {
    const golden = adapter.get(`base_model.model.${path}.${matrix}.weight`)!;
    adapted[matrix].weight.load({ shape: golden.shape, data: golden.data as Float32Array });
  }
  checks.push(absolute("linear with adapter", adapted.forward(x), io.get("linear_output")!, bound));
  const upstream = tensor(io.get("linear_grad_output")!);
  const input = tf.variable(x);
  const a = adapted.lora_A.weight.value;
  const b = adapted.lora_B.weight.value;
  const { gradients } = lossAndGradients(
    () => tf.sum(tf.mul(adapted.forward(input), upstream)),
    new Map([
      ["input", input],
      ["A", a],
      ["B", b],
    ]),
  );
  for (const name of ["input", "A", "B"]) {
    checks.push(
      absolute(`linear gradient of ${name}`, gradients.get(name)!, io.get(`linear_grad_${name}`)!, bound),
    );
  }
  return checks;
}
