import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { permuteRowsHfToMeta } from "../../../../src/io/llama/keymap";
import {
  adapterAlpha,
  adapterDefaults,
  adapterRank,
  parseAdapterConfig,
} from "../../../../src/io/peft/config";
import { adapterFromMeta, adapterToMeta, readAdapter, writeAdapter } from "../../../../src/io/peft/peft";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { assertRejects, assertSameTensors, eighths, goldenCases, temporaryFolder } from "../support";

const golden = join(goldenCases, "lora_peft", "adapter");

function pair(module: string, rank = 8): StateDict {
  return new Map([
    [`${module}.lora_A.weight`, eighths([rank, 16])],
    [`${module}.lora_B.weight`, eighths([16, rank])],
  ]);
}

async function readWithConfig(change: Record<string, unknown>) {
  const folder = temporaryFolder();
  const config = JSON.parse(readFileSync(join(golden, "adapter_config.json"), "utf8"));
  cpSync(join(golden, "adapter_model.safetensors"), join(folder, "adapter_model.safetensors"));
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ ...config, ...change }));
  return readAdapter(folder);
}

test("an adapter written by PEFT is read with the module paths of its base model", async () => {
  const { config, tensors } = await readAdapter(golden);
  assert.equal(config.lora_alpha / config.r, 2);
  assert.ok(
    [...tensors.keys()].every((name) =>
      /^model\.layers\.\d+\.self_attn\.[qv]_proj\.lora_[AB]\.weight$/.test(name),
    ),
  );
  assert.equal(config.peft_version, "0.21.0");
});

test("writing what was read gives PEFT's files again, byte for byte", async () => {
  const folder = temporaryFolder();
  await writeAdapter(folder, await readAdapter(golden));
  const original = JSON.parse(readFileSync(join(golden, "adapter_config.json"), "utf8"));
  const written = readFileSync(join(folder, "adapter_config.json"), "utf8");
  assert.deepEqual(JSON.parse(written), original);
  assert.equal(written, readFileSync(join(golden, "adapter_config.json"), "utf8"));
  const [ours, theirs] = [folder, golden].map((place) =>
    readFileSync(join(place, "adapter_model.safetensors")),
  );
  assert.ok(ours.equals(theirs));
});

test("names are those of the base model, however a version of PEFT wraps them", async () => {
  const folder = temporaryFolder();
  const stored: Record<string, string> = {
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight":
      "model.layers.0.self_attn.q_proj.lora_A.weight",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight":
      "model.layers.0.self_attn.q_proj.lora_B.weight",
    "base_model.model.lm_head.modules_to_save.weight": "lm_head.weight",
    "base_model.model.lm_head.modules_to_save.bias": "lm_head.bias",
    "base_model.model.model.norm.modules_to_save.default.weight": "model.norm.weight",
    "base_model.model.model.embed_tokens.base_layer.weight": "model.embed_tokens.weight",
    "model.layers.0.input_layernorm.weight": "model.layers.0.input_layernorm.weight",
  };
  const tensors = new Map(Object.keys(stored).map((name) => [name, eighths([8, 8])]));
  await writeSafetensors(join(folder, "adapter_model.safetensors"), tensors);
  writeFileSync(join(folder, "adapter_config.json"), '{"peft_type": "LORA"}');
  const read = await readAdapter(folder);
  const isLora = (name: string) => name.includes(".lora_");
  assert.deepEqual([...read.tensors.keys()].sort(), Object.values(stored).filter(isLora).sort());
  assert.deepEqual(
    [...read.whole!.keys()].sort(),
    Object.values(stored)
      .filter((name) => !isLora(name))
      .sort(),
  );
  const part = await readAdapter(folder, (name) => name === "lm_head.weight");
  assert.deepEqual([[...part.whole!.keys()], part.tensors.size], [["lm_head.weight"], 0]);
  assert.equal(part.leftOut!.length, 6);
});

test("a minimal config is completed with PEFT's keys, sorted", async () => {
  const folder = temporaryFolder();
  await writeAdapter(folder, {
    config: { r: 8, lora_alpha: 16 },
    tensors: pair("model.layers.0.self_attn.q_proj"),
  });
  const keys = Object.keys(JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")));
  assert.deepEqual(keys, keys.slice().sort());
  for (const key of ["peft_type", "task_type", "base_model_name_or_path", "bias", "init_lora_weights"]) {
    assert.ok(keys.includes(key));
  }
  assert.equal((await readAdapter(folder)).config.lora_alpha, 16);
});

test("Meta names and back, with and without the row permutation", () => {
  const tensors: StateDict = new Map([
    ...pair("model.layers.31.self_attn.q_proj"),
    ...pair("model.layers.31.self_attn.v_proj"),
  ]);
  const meta = adapterToMeta(tensors);
  assert.deepEqual(
    [...meta.keys()],
    [
      "layers.31.attention.wq.lora_A.weight",
      "layers.31.attention.wq.lora_B.weight",
      "layers.31.attention.wv.lora_A.weight",
      "layers.31.attention.wv.lora_B.weight",
    ],
  );
  assertSameTensors(adapterFromMeta(meta), tensors);
  const mapping = { rowOrder: "meta" as const, heads: 2 };
  const permuted = adapterToMeta(tensors, mapping);
  const b = "layers.31.attention.wq.lora_B.weight";
  assert.deepEqual(permuted.get(b)!.data, permuteRowsHfToMeta(meta.get(b)!, 2).data);
  for (const name of meta.keys()) if (name !== b) assert.equal(permuted.get(name), meta.get(name));
  assertSameTensors(adapterFromMeta(permuted, mapping), tensors);
});

test("modules that LLaMA does not have cannot be mapped, heads are needed to permute", async () => {
  const foreign = async () => adapterToMeta(pair("model.layers.0.attn.qkv"));
  await assertRejects(foreign, "key-mismatch", "model.layers.0.attn.qkv.lora_A.weight");
  const headless = async () => adapterToMeta(pair("model.layers.0.self_attn.q_proj"), { rowOrder: "meta" });
  await assertRejects(headless, "bad-argument", "number of heads");
});

test("what a config does not say is as PEFT has it: rank 8, alpha 8, no dropout, q and v of all layers", () => {
  const { r, lora_alpha, lora_dropout, target_modules, ...rest } = parseAdapterConfig("a", {
    peft_type: "LORA",
  });
  assert.deepEqual([r, lora_alpha, lora_dropout, target_modules], [8, 8, 0, ["q_proj", "v_proj"]]);
  assert.deepEqual(
    [rest.use_rslora, rest.use_dora, rest.fan_in_fan_out, rest.bias, rest.layers_to_transform],
    [false, false, false, "none", null],
  );
  assert.deepEqual([rest.rank_pattern, rest.alpha_pattern], [{}, {}]);
});

test("rank and scaling follow the patterns and rank stabilization", () => {
  const config = {
    ...adapterDefaults,
    r: 16,
    lora_alpha: 16,
    rank_pattern: { v_proj: 4, "layers\\.3[01]\\..*k_proj": 2 },
    alpha_pattern: { v_proj: 12 },
  };
  assert.equal(adapterRank(config, "model.layers.31.self_attn.q_proj"), 16);
  assert.equal(adapterRank(config, "model.layers.31.self_attn.v_proj"), 4);
  assert.equal(adapterRank(config, "model.layers.31.self_attn.k_proj"), 2);
  assert.equal(adapterRank(config, "model.layers.29.self_attn.k_proj"), 16);
  assert.equal(adapterAlpha(config, "model.layers.31.self_attn.v_proj"), 12);
});

test("expressions that could take for ever are refused", () => {
  const config = { ...adapterDefaults, rank_pattern: { "(a+)+b": 4 } };
  assert.throws(() => adapterRank(config, "a".repeat(60)), /cannot be used/);
});

test("expressions of four repetitions and 500 characters are used, of more refused", () => {
  const rank = (pattern: string) =>
    adapterRank({ ...adapterDefaults, rank_pattern: { [pattern]: 4 } }, "model.layers.0.mlp.x_proj");
  assert.equal(rank(".*l.*0.*m.*proj"), 4);
  assert.throws(() => rank(".*l.*0.*m.*p.*proj"), /cannot be used/);
  const names = (length: number) => "x_proj|".padEnd(length, "y");
  assert.equal(rank(names(500)), 4);
  assert.throws(() => rank(names(501)), /cannot be used/);
  for (const pattern of ["(x_proj)?", "(x_proj){1}", "[", "(?<a"])
    assert.throws(() => rank(pattern), /cannot be used/);
});

test("target_modules may be one expression; keys that are known, or off, are kept", async () => {
  const kept = { velora_config: { rank: 2 }, from_the_future: null, another: {}, third: false };
  const { config } = await readWithConfig({ target_modules: ".*\\.[qv]_proj", ...kept });
  assert.equal(config.target_modules, ".*\\.[qv]_proj");
  for (const [key, value] of Object.entries(kept)) assert.deepEqual(config[key], value);
});

/** Every key of PEFT 0.21 that makes another formula of it, with a value that does. */
const otherFormulas = {
  alora_invocation_tokens: [5, 6],
  arrow_config: { top_k: 3 },
  bias: "all",
  fan_in_fan_out: true,
  kasa_config: { beta: 1 },
  layer_replication: [[0, 4]],
  lora_bias: true,
  megatron_config: { a: 1 },
  monteclora_config: { n: 1 },
  peft_type: "IA3",
  target_parameters: ["experts.gate_up_proj"],
  use_bdlora: { blocks: 2 },
  use_dora: true,
  use_qalora: true,
  use_rslora: "yes",
};

test("variants of LoRA with another formula are refused, all named at once", async () => {
  const lines = Object.keys(otherFormulas).map((key) => `\n  ${key}: `);
  await assertRejects(() => readWithConfig(otherFormulas), "bad-file", ...lines);
  assert.ok(await readWithConfig({ modules_to_save: [], use_rslora: true, rank_pattern: null }));
  await assertRejects(
    () => readWithConfig({ r: 0, lora_alpha: "8", rank_pattern: [] }),
    "bad-file",
    "r:",
    "lora_alpha",
    "rank_pattern",
  );
});

test("a key that nobody knows and that is on is refused by name, whatever its value", async () => {
  for (const value of [true, 3, "on", [1], { a: 1 }]) {
    const read = () => readWithConfig({ from_the_future: value });
    await assertRejects(read, "bad-file", "from_the_future", "is not known", "take it out");
  }
  const inherited = JSON.parse('{"__proto__": {"use_dora": true}, "constructor": 1, "toString": 2}');
  await assertRejects(() => readWithConfig(inherited), "bad-file", "__proto__", "constructor", "toString");
});

test("a start that changed the base weights is refused with PEFT's way out", async () => {
  const changed = ["pissa", "pissa_niter_4", "olora", "OLoRA", "corda", "loftq", "lora_ga", "new", 3, {}];
  for (const init_lora_weights of changed) {
    const read = () => readWithConfig({ init_lora_weights });
    await assertRejects(read, "bad-file", "init_lora_weights", "path_initial_model_for_weight_conversion");
  }
  for (const init_lora_weights of [true, false, null, "gaussian", "Gaussian", "eva", "orthogonal", "mica"])
    assert.ok(await readWithConfig({ init_lora_weights }));
});

test("a config nested deeply is refused and named, not met by a raw error", async () => {
  const folder = temporaryFolder();
  cpSync(join(golden, "adapter_model.safetensors"), join(folder, "adapter_model.safetensors"));
  const deep = `${"[".repeat(50_000)}1${"]".repeat(50_000)}`;
  writeFileSync(join(folder, "adapter_config.json"), `{"use_dora": ${deep}, "r": ${deep}}`);
  await assertRejects(() => readAdapter(folder), "bad-file", "use_dora", "r:", "cannot be shown");
});

test("tensors of another rank, half pairs and foreign tensors are listed", async () => {
  await assertRejects(
    () => readWithConfig({ r: 5 }),
    "shape-mismatch",
    "expected [5, in]",
    "expected [out, 5]",
  );
  const half = pair("m");
  half.delete("m.lora_B.weight");
  half.set("m.scale", eighths([2]));
  const write = () => writeAdapter(temporaryFolder(), { config: {}, tensors: half });
  await assertRejects(write, "key-mismatch", "m.lora_B.weight: missing", "m.scale: neither");
  const empty = () => writeAdapter(temporaryFolder(), { config: {}, tensors: new Map() });
  await assertRejects(empty, "key-mismatch", "no tensors");
  await assertRejects(() => readAdapter(temporaryFolder()), "missing-file", "adapter_config.json");
});

test("each entry of a config that is of another kind is named, with what is expected of it", async () => {
  const wrong: [key: string, values: unknown[]][] = [
    ["r", [0, -1, 1.5, "8", null]],
    ["lora_alpha", ["8", null, [8]]],
    ["lora_dropout", ["0.1", -0.1, 1, null]],
    ["target_modules", [null, 3, ["q_proj", 3], { q_proj: 1 }]],
    ["rank_pattern", [[], [4], { a: 0 }, { a: "4" }, 4]],
    ["alpha_pattern", [[], { a: "4" }, { a: null }, "a"]],
    ["layers_to_transform", [-1, 1.5, [0, -1], "all", {}]],
  ];
  for (const [key, values] of wrong)
    for (const value of values) {
      const parse = async () => parseAdapterConfig("x.json", { [key]: value });
      await assertRejects(parse, "bad-file", "x.json: adapter config", new RegExp(`\\n  ${key}: expected `));
    }
  const right: [key: string, values: unknown[]][] = [
    ["lora_alpha", [0, -4, 0.5]],
    ["lora_dropout", [0, 0.999]],
    ["target_modules", ["all-linear", [], ["q_proj"]]],
    ["rank_pattern", [{ a: 4 }, null]],
    ["alpha_pattern", [{ a: -4, b: 0 }, null]],
    ["layers_to_transform", [null, 0, 7, [], [0, 31]]],
    ["init_lora_weights", [null, true, false, "gaussian", "EVA"]],
  ];
  for (const [key, values] of right)
    for (const value of values) assert.ok(parseAdapterConfig("x.json", { [key]: value }), `${key}: ${value}`);
});
