import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { convertRowOrder, writeHuggingFaceCheckpoint } from "../../../../src/io/llama";
import { shardOptions } from "../../../../src/io/llama/huggingFaceCheckpoint";
import { metaToHfName } from "../../../../src/io/llama/keymap";
import { llamaReadOptions } from "../../../../src/io/llama/reading";
import { llamaBlockOptions, readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { Calls } from "../../../support/calls";
import { asBfloat, describe, float32, grouped, written } from "../ggufModel";
import { ggufFile } from "../ggufWriter";
import { eighths, temporaryFolder, tinyLanguageModel, withoutEnginesWords } from "../support";

const told = (tensors: StateDict) =>
  [...tensors].map(
    ([name, { shape, data }]) =>
      `${name} [${shape}] ${data.reduce((sum, x, i) => sum + x * (1 + (i % 7)), 0).toFixed(3)}`,
  );

/** Everything read, with paths as names. */
const read = async (call: Promise<{ tensors: StateDict }>) => {
  const { tensors, ...others } = await call;
  return [others, told(tensors)];
};

const model = (layers: number, config = grouped) => tinyLanguageModel(layers, config, 3);
const hf = (tensors: StateDict): StateDict =>
  new Map(
    [...convertRowOrder(tensors, grouped, "meta", "hf")].map(([name, tensor]) => [
      metaToHfName(name)!,
      tensor,
    ]),
  );

test("blocks and models that are read are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const own = model(3);
  const bare = join(folder, "bare.safetensors");
  await writeSafetensors(bare, own, { dtype: "BF16" });
  calls.title("Meta's names without a config");
  for (const options of [
    {},
    { heads: 4 },
    { heads: 4, block: 1 },
    { heads: 4, block: 3, normEps: 1e-3, ropeTheta: 77 },
    { heads: 4, blocks: [3, 1] },
    { heads: 2, block: 2 },
    { heads: 3 },
  ])
    await calls.does(JSON.stringify(options), () => read(readLlamaBlocks(bare, options)));
  for (const options of [
    { heads: 4, block: 4 },
    { heads: 4, block: 0 },
    { heads: 4, block: 1, blocks: [1] },
    { heads: 4, blocks: [1, 1] },
    { heads: 4, blocks: [] },
    { heads: 4, blocks: [1, 4, 5] },
    { block: 1.5 },
    { heads: 0 },
    { heads: 4096.5 },
    { heads: 4097 },
    { normEps: 0 },
    { normEps: 1 },
    { normEps: 1.1 },
    { ropeTheta: 0 },
    { ropeTheta: 2e12 },
    { allowNonFinite: 1 },
    { layer: 1 },
    { blocks: 3 },
    null,
  ])
    await calls.does(JSON.stringify(options), () => readLlamaBlocks(bare, options as never));
  await calls.does("the model", () => read(readLanguageModel(bare, { heads: 4 })));
  for (const options of [{ block: 1 }, { heads: "4" }])
    await calls.does(`the model ${JSON.stringify(options)}`, () => readLanguageModel(bare, options as never));
  for (const path of [undefined, 3, ""])
    await calls.does(`path ${path}`, () => readLlamaBlocks(path as never));
  calls.note(
    "options",
    [llamaReadOptions, llamaBlockOptions, shardOptions].map(({ optional }) => Object.keys(optional)),
  );
  calls.title("Hugging Face's with a config");
  const place = join(folder, "hf");
  await writeHuggingFaceCheckpoint(place, model(2), { ...grouped, maxPositions: 64 });
  await calls.does("block", () => read(readLlamaBlocks(place)));
  await calls.does("model", () => read(readLanguageModel(place)));
  await calls.does("options beat the config", () =>
    read(readLlamaBlocks(place, { block: 1, normEps: 0.5, ropeTheta: 3 })),
  );
  await calls.does("other heads", () => read(readLlamaBlocks(place, { block: 1, heads: 2 })));
  const config = JSON.parse(readFileSync(join(place, "config.json"), "utf8"));
  const configured = (change: object) =>
    writeFileSync(join(place, "config.json"), JSON.stringify({ ...config, ...change }));
  for (const change of [
    { num_hidden_layers: 3 },
    { vocab_size: 11 },
    { hidden_size: 17, head_dim: 4 },
    { num_attention_heads: 3 },
    { attention_bias: true },
    { model_type: "gemma" },
    { intermediate_size: 25 },
    { max_position_embeddings: null },
  ]) {
    configured(change);
    await calls.does(`model ${JSON.stringify(change)}`, () => read(readLanguageModel(place)));
  }
  await calls.does("third block", () => readLlamaBlocks(place, { block: 3 }));
  configured({ num_hidden_layers: 3 });
  await calls.does("third block of three said", () => readLlamaBlocks(place, { block: 3 }));
  await calls.does("blocks of three said", () => read(readLlamaBlocks(place, { block: 2 })));
  writeFileSync(join(place, "config.json"), "{");
  await calls.does("damaged config", () => readLlamaBlocks(place));
  calls.title("what a file may hold");
  const file = async (name: string, tensors: StateDict, options = {}) => {
    await writeSafetensors(join(folder, "x.safetensors"), tensors);
    await calls.does(name, () =>
      read(readLlamaBlocks(join(folder, "x.safetensors"), { heads: 4, ...options })),
    );
  };
  const changed = (change: (tensors: StateDict) => void, from = hf(model(2))) => {
    const tensors: StateDict = new Map(from);
    change(tensors);
    return tensors;
  };
  const P = "model.layers.1.";
  await file(
    "wrappers",
    new Map([...hf(model(1))].map(([name, tensor]) => [`module._orig_mod.${name}`, tensor])),
  );
  await file(
    "missing",
    changed((tensors) => {
      tensors.delete(`${P}mlp.up_proj.weight`);
      tensors.delete(`${P}input_layernorm.weight`);
    }),
  );
  await file(
    "unknown",
    changed(
      (tensors) =>
        void tensors
          .set(`${P}mlp.extra.weight`, eighths([1]))
          .set("model.layers.0.x.weight", eighths([1]))
          .set("y", eighths([1])),
    ),
  );
  await file(
    "rotary tables",
    changed(
      (tensors) =>
        void tensors.set(`${P}self_attn.rotary_emb.inv_freq`, eighths([2])).set("rope.freqs", eighths([2])),
    ),
  );
  await file(
    "shapes",
    changed(
      (tensors) =>
        void tensors
          .set(`${P}mlp.up_proj.weight`, eighths([24, 15]))
          .set(`${P}self_attn.k_proj.weight`, eighths([9, 16])),
    ),
  );
  await file(
    "one block of q biases",
    changed(
      (tensors) =>
        void tensors
          .set(`${P}self_attn.q_proj.bias`, eighths([16]))
          .set(`${P}self_attn.k_proj.bias`, eighths([8])),
    ),
  );
  await file(
    "biases and norms",
    changed((tensors) => {
      for (const [name, size] of [
        ["q_proj.bias", 16],
        ["k_proj.bias", 8],
        ["v_proj.bias", 8],
        ["o_proj.bias", 16],
        ["q_norm.weight", 4],
        ["k_norm.weight", 4],
      ] as const)
        tensors.set(`${P}self_attn.${name}`, eighths([size]));
    }),
  );
  const broken = changed(
    (tensors) =>
      void tensors.set(`${P}mlp.up_proj.weight`, {
        shape: [24, 16],
        data: new Float32Array(384).fill(Number.NaN, 0, 2).fill(Number.POSITIVE_INFINITY, 5, 6),
      }),
  );
  await file("not finite", broken);
  await file("not finite, allowed", broken, { allowNonFinite: true });
  await file(
    "all at once",
    changed((tensors) => {
      tensors.delete(`${P}input_layernorm.weight`);
      tensors.set(`${P}self_attn.k_proj.weight`, eighths([8, 15]));
    }, broken),
  );
  await file(
    "no block",
    new Map([
      ["a", eighths([1])],
      ["b.weight", eighths([1])],
    ]),
  );
  await file("one block of many", new Map([...model(6)].filter(([name]) => name.startsWith("layers.4."))));
  await file("a hole", new Map([...model(6)].filter(([name]) => !name.startsWith("layers.4."))), {
    block: 5,
  });
  await writeSafetensors(
    join(folder, "x.safetensors"),
    new Map([...model(3)].filter(([name]) => !name.startsWith("layers.1."))),
  );
  await calls.does("a hole, the model", () => readLanguageModel(join(folder, "x.safetensors"), { heads: 4 }));
  await writeSafetensors(
    join(folder, "x.safetensors"),
    changed((tensors) => {
      tensors.delete("output.weight");
      tensors.set("norm.weight", eighths([15]));
    }, model(1)),
  );
  await calls.does("a norm of another shape", () =>
    readLanguageModel(join(folder, "x.safetensors"), { heads: 4 }),
  );
  await writeSafetensors(
    join(folder, "x.safetensors"),
    changed((tensors) => void tensors.delete("output.weight"), model(1)),
  );
  await calls.does("tied", () => read(readLanguageModel(join(folder, "x.safetensors"), { heads: 4 })));
  await writeSafetensors(
    join(folder, "x.safetensors"),
    changed((tensors) => void tensors.set("output.weight", eighths([11, 16])), model(1)),
  );
  await calls.does("another vocabulary", () =>
    readLanguageModel(join(folder, "x.safetensors"), { heads: 4 }),
  );
  calls.title("GGUF");
  const gguf = async (
    name: string,
    architecture: string,
    entries: object = {},
    more: StateDict = new Map(),
    options = {},
  ) => {
    writeFileSync(
      join(folder, "m.gguf"),
      ggufFile(
        { ...describe(architecture, 2), ...(entries as ReturnType<typeof describe>) },
        {
          ...written(model(2), asBfloat),
          ...Object.fromEntries([...more].map(([key, tensor]) => [key, float32(tensor)])),
        },
      ),
    );
    await calls.does(name, () => read(readLlamaBlocks(join(folder, "m.gguf"), options)));
  };
  await gguf("llama", "llama");
  await gguf("qwen3", "qwen3");
  const factor = { "llama.rope.scaling.factor": { type: "float32", value: 2 } };
  const divisors: StateDict = new Map([["rope_freqs.weight", { shape: [2], data: Float32Array.of(1, 4) }]]);
  await gguf("divisors", "llama", {}, divisors, { block: 1 });
  await gguf("divisors and a factor", "llama", factor, divisors, { block: 1 });
  await gguf(
    "divisors and another kind",
    "llama",
    { "llama.rope.scaling.type": { type: "string", value: "yarn" } },
    divisors,
    { block: 1 },
  );
  await gguf("gemma", "gemma");
  withoutEnginesWords(calls);
  calls.approve("io/llama/reads");
});

test("what is written for transformers is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const write = (name: string, tensors: unknown, config: object, options?: object) =>
    calls.once(name, async () => {
      const own = join(folder, name);
      const files = await writeHuggingFaceCheckpoint(
        own,
        tensors as StateDict,
        config as never,
        options as never,
      );
      const { weight_map, ...index } = files.includes("model.safetensors.index.json")
        ? JSON.parse(readFileSync(join(own, "model.safetensors.index.json"), "utf8"))
        : {};
      const header = (file: string) => {
        const bytes = readFileSync(join(own, file));
        return Object.keys(JSON.parse(bytes.subarray(8, 8 + bytes.readUInt32LE(0)).toString())).length;
      };
      return [
        files,
        readdirSync(own),
        index,
        weight_map &&
          Object.entries(weight_map)
            .map(([key, value]) => `${key} ${value}`)
            .join("\n")
            .slice(0, 250),
        files.filter((file) => file.endsWith("rs")).map(header),
        readFileSync(join(own, "config.json"), "utf8").replace(/\s+/g, "").slice(0, 390),
        readFileSync(join(own, "config.json"), "utf8").replace(/\s+/g, "").slice(390),
      ];
    });
  await write("plain", model(2), { ...grouped });
  await write("half", model(2), { ...grouped, maxPositions: 99, headDim: 4 }, { dtype: "F16" });
  await write(
    "brain",
    model(1),
    { ...grouped, ropeScaling: { type: "linear", factor: 3 } },
    { dtype: "BF16", maxShardBytes: 5e9 },
  );
  for (const maxShardBytes of [1, 1000, 1024, 1536, 3000])
    await write(`shards of ${maxShardBytes}`, model(1), grouped, { maxShardBytes });
  await write("two bytes in shards", model(1), grouped, { maxShardBytes: 1024, dtype: "F16" });
  const tied = model(1);
  tied.delete("output.weight");
  await write("tied", tied, { ...grouped, normEps: 0.25 });
  const features = ["qkvBias", "outputBias", "mlpBias", "qkNorm"];
  for (let set = 0; set < 16; set++) {
    const config = {
      ...grouped,
      ...Object.fromEntries(features.filter((_, i) => (set >> i) & 1).map((name) => [name, true])),
    };
    await calls.once(`features ${features.filter((_, i) => (set >> i) & 1)}`, async () => {
      await writeHuggingFaceCheckpoint(join(folder, "features"), tinyLanguageModel(1, config), config);
      const { architectures, model_type, attention_bias, mlp_bias } = JSON.parse(
        readFileSync(join(folder, "features", "config.json"), "utf8"),
      );
      return [architectures, model_type, attention_bias, mlp_bias];
    });
  }
  calls.title("refused");
  const without = (...names: string[]): StateDict =>
    new Map([...model(2)].filter(([name]) => !names.includes(name)));
  await write("no norm", without("norm.weight"), grouped);
  await write("no embeddings", without("tok_embeddings.weight", "layers.1.ffn_norm.weight"), grouped);
  await write(
    "more",
    new Map([
      ...model(1),
      ["layers.0.attention.wq.bias", eighths([16])],
      ["x", eighths([1])],
      ["norm.bias", eighths([1])],
    ]),
    grouped,
  );
  await write("divisors", model(1), { ...grouped, ropeScaling: { type: "divisors", divisors: [1, 2] } });
  await write("no config", model(1), {});
  await write("no tensors", {}, grouped);
  for (const options of [{ dtype: "F64" }, { maxShardBytes: 0 }, { maxShardBytes: "1" }, { shards: 3 }])
    await write(JSON.stringify(options), model(1), grouped, options);
  await calls.once("no folder", () => writeHuggingFaceCheckpoint(3 as never, model(1), grouped));
  calls.note("folders", readdirSync(folder));
  calls.approve("io/llama/writes");
});
