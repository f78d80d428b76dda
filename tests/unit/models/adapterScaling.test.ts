import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { adapterDefaults } from "../../../src/io/peft/config";
import { applyAdapter } from "../../../src/models/adapter";
import { LlamaBlocks } from "../../../src/models/llamaBlock";
import { adapters } from "../../../src/models/lora";
import { tinyLlama } from "./support";

test("an adapter's alpha patterns name modules as the language model numbers them, also on one block of it", () => {
  const block = new LlamaBlocks({
    config: tinyLlama,
    depth: 1,
    rng: new Rng(0),
    origin: "a test",
    layerIndices: [3],
  });
  const { dim } = tinyLlama;
  const matrix = (shape: number[]) => ({ shape, data: new Float32Array(shape[0] * shape[1]) });
  const modules = ["q_proj", "k_proj", "v_proj"].map((name) => `model.layers.3.self_attn.${name}`);
  const tensors = new Map(
    modules.flatMap((path) => [
      [`${path}.lora_A.weight`, matrix([2, dim])] as const,
      [`${path}.lora_B.weight`, matrix([dim, 2])] as const,
    ]),
  );
  const alpha_pattern = { "model.layers.3.self_attn.q_proj": 12, "layers\\.[0-9]+\\.self_attn\\.v_proj": 6 };
  applyAdapter(block, { config: { ...adapterDefaults, r: 2, lora_alpha: 4, alpha_pattern }, tensors });
  const scalings = adapters(block).map(([path, layer]) => [path.split(".").at(-1), layer.scaling]);
  assert.deepEqual(Object.fromEntries(scalings), { wq: 6, wk: 2, wv: 3 });
});
