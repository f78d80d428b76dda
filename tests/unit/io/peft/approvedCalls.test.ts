import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { adapterFromMeta, adapterToMeta, readAdapter, writeAdapter } from "../../../../src/io/peft";
import {
  adapterAlpha,
  adapterDefaults,
  adapterRank,
  parseAdapterConfig,
} from "../../../../src/io/peft/config";
import { formulaFaults } from "../../../../src/io/peft/keys";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { writeTorchCheckpoint } from "../../../../src/io/torch";
import { Calls } from "../../../support/calls";
import { eighths, temporaryFolder, withoutEnginesWords } from "../support";

test("adapter configs, and what is wrong with them, are approved", async () => {
  const calls = new Calls();
  calls.note("defaults", adapterDefaults);
  const parse = (value: Record<string, unknown>) =>
    calls.does(
      `parse ${JSON.stringify(value, (_, one) => (typeof one === "number" && !Number.isFinite(one) ? String(one) : one))}`,
      () => {
        const config = parseAdapterConfig("x", value);
        return Object.fromEntries(
          Object.entries(config).filter(
            ([key, one]) => JSON.stringify(one) !== JSON.stringify(adapterDefaults[key]),
          ),
        );
      },
    );
  for (const value of [
    {},
    { other: null },
    { other: 1 },
    { other: {} },
    { other: [] },
    { other: false },
    { other: "" },
    { other: 0 },
  ])
    await parse(value);
  for (const r of [1, 3, 0, -1, 1.5, Number.NaN, "8", null]) await parse({ r });
  for (const lora_alpha of [0, -2, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "8", null])
    await parse({ lora_alpha });
  for (const lora_dropout of [0, 0.5, 0.999, 1, -0.1, Number.NaN, "0", null]) await parse({ lora_dropout });
  for (const target_modules of ["", ".*q", [], ["a"], ["a", 1], null, 3]) await parse({ target_modules });
  for (const pattern of [{}, null, { a: 3 }, { a: 0 }, { a: -1 }, { a: 1.5 }, { a: "3" }, [], "x", 3])
    await parse({ rank_pattern: pattern, alpha_pattern: pattern });
  for (const layers_to_transform of [null, 0, 3, -1, 1.5, [], [0, 2], [0, -1], "3", {}])
    await parse({ layers_to_transform });
  calls.title("rank and alpha of modules");
  const patterns = {
    q_proj: 4,
    "model.layers.1.self_attn.v_proj": 5,
    "layers\\.[23]\\..*\\.k_proj": 6,
    "(o|up)_proj": 7,
    mlp: 9,
  };
  const config = parseAdapterConfig("x", {
    r: 16,
    lora_alpha: 32,
    rank_pattern: patterns,
    alpha_pattern: { v_proj: -1.5, ...patterns },
  });
  for (const path of [
    "q_proj",
    "model.layers.0.self_attn.q_proj",
    "aq_proj",
    "model.layers.1.self_attn.v_proj",
    "model.layers.2.self_attn.v_proj",
    "model.layers.2.self_attn.k_proj",
    "model.layers.4.self_attn.k_proj",
    "a.o_proj",
    "a.up_proj",
    "a.oup_proj",
    "mlp.x",
    "",
    "model.layers.11.self_attn.v_proj",
  ])
    await calls.does(path || "empty", () => [adapterRank(config, path), adapterAlpha(config, path)]);
  for (const pattern of [
    "(a+)+",
    "(a)?",
    "(a){2}",
    "a*b*c*d*",
    "a*b*c*d*e",
    "a{1}b+c*d{2}",
    "[",
    "a".repeat(500),
    "a".repeat(501),
    "(",
    "a|b",
    "^a",
    "a$",
  ])
    await calls.does(`pattern ${pattern.length > 99 ? pattern.length : pattern}`, () => [
      adapterRank({ ...adapterDefaults, rank_pattern: { [pattern]: 3 } }, "x.a"),
      adapterRank({ ...adapterDefaults, rank_pattern: { [pattern]: 3 } }, pattern),
    ]);
  const paths = ["a", "b", "x.a", "x.b", "xa", "x.ab", "a.x", "b.x", "x.a.y", ""];
  for (const pattern of ["a|b", "b|x\\.a", "a", "x", "[ab]", "x\\..*", "a.x|"])
    await calls.does(`modules of ${pattern}`, () =>
      paths.filter(
        (path) => adapterAlpha({ ...adapterDefaults, alpha_pattern: { [pattern]: 3 } }, path) === 3,
      ),
    );
  await calls.does("the first pattern that matches", () =>
    ["x.a", "y.a", "b"].map((path) =>
      adapterRank({ ...adapterDefaults, rank_pattern: { "x\\.a": 1, a: 2, ".*": 3 } }, path),
    ),
  );
  calls.approve("io/peft/config");
});

test("what of a config changes the formula is approved", async () => {
  const calls = new Calls();
  const keys = [
    "alpha_pattern",
    "lora_alpha",
    "lora_dropout",
    "r",
    "rank_pattern",
    "exclude_modules",
    "layers_pattern",
    "layers_to_transform",
    "modules_to_save",
    "target_modules",
    "ensure_weight_tying",
    "trainable_token_indices",
    "auto_mapping",
    "base_model_name_or_path",
    "peft_version",
    "revision",
    "task_type",
    "corda_config",
    "eva_config",
    "loftq_config",
    "lora_ga_config",
    "velora_config",
    "inference_mode",
    "megatron_core",
    "merge_weights",
    "qalora_group_size",
    "runtime_config",
    "alora_invocation_tokens",
    "arrow_config",
    "bias",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "monteclora_config",
    "peft_type",
    "target_parameters",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "use_rslora",
    "init_lora_weights",
    "unknown",
    "constructor",
  ];
  for (const key of keys)
    await calls.does(key, () =>
      [null, undefined, false, true, {}, [], "x", 1, 0, "none", "LORA", [[0, 4]], { a: 1 }]
        .map((value) => formulaFaults({ [key]: value }).length)
        .join(" "),
    );
  for (const key of keys.slice(27)) await calls.does(`${key} is "x"`, () => formulaFaults({ [key]: "x" }));
  for (const init of [
    true,
    false,
    null,
    "gaussian",
    "GAUSSIAN",
    "eva",
    "Eva",
    "orthogonal",
    "mica",
    "pissa",
    "pissa_niter_4",
    "olora",
    "loftq",
    "corda",
    "lora_ga",
    "gaussian2",
    " eva",
    "",
    1,
    {},
  ])
    await calls.does(`starts ${JSON.stringify(init)}`, () => formulaFaults({ init_lora_weights: init }));
  await calls.does("several", () =>
    formulaFaults({ bias: "all", r: 3, use_dora: true, peft_type: "LOHA", bright: 1, use_rslora: true }),
  );
  calls.approve("io/peft/keys");
});

const pair = (module: string, rank = 2, rows = 6, columns = 5): [string, ReturnType<typeof eighths>][] => [
  [`${module}.lora_A.weight`, eighths([rank, columns])],
  [`${module}.lora_B.weight`, eighths([rows, rank])],
];
const shapes = (tensors?: StateDict) =>
  tensors &&
  new Map([...tensors].map(([name, { shape, data }]) => [name, `[${shape}] ${[...data].slice(0, 12)}`]));

test("what is read of adapters' folders is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const CONFIG = join(folder, "adapter_config.json");
  const WEIGHTS = join(folder, "adapter_model.safetensors");
  const read = (name: string, wanted?: (name: string) => boolean) =>
    calls.does(name, async () => {
      const { config, tensors, whole, leftOut } = await readAdapter(folder, wanted);
      return [config.r, config.other, shapes(tensors), shapes(whole), leftOut];
    });
  const P = "base_model.model.";
  await read("empty folder");
  for (const text of ["", "[]", "{", '\ufeff{"r":2}', '{"r":2}']) {
    writeFileSync(CONFIG, text);
    await read(`${JSON.stringify(text)} without weights`);
  }
  writeFileSync(CONFIG, '{"r": 2, "other": null, "rank_pattern": {"k_proj": 3}}\r\n');
  const write = (tensors: [string, ReturnType<typeof eighths>][]) =>
    writeSafetensors(WEIGHTS, new Map(tensors.map(([name, tensor]) => [`${P}${name}`, tensor])));
  const q = "model.layers.0.self_attn.q_proj";
  await write([...pair(q), ...pair("model.layers.0.self_attn.k_proj", 3)]);
  await read("two modules");
  await read("one of them", (name) => name.includes("q_proj"));
  await read("none of them", () => false);
  await read("half of one", (name) => name.endsWith("q_proj.lora_A.weight"));
  await write([]);
  await read("no tensors");
  await writeSafetensors(
    WEIGHTS,
    new Map([
      [`${P}${q}.lora_A.default.weight`, eighths([2, 5])],
      [`${q}.lora_B.default.weight`, eighths([6, 2])],
      [`${P}lm_head.base_layer.weight`, eighths([3])],
      [`${P}a.modules_to_save.default.bias`, eighths([1])],
      [`${P}b.modules_to_save.weight`, eighths([2])],
      ["weight", eighths([1])],
    ]),
  );
  await read("wrappers of names");
  await writeSafetensors(
    WEIGHTS,
    new Map([
      [`${P}${q}.lora_A.other.weight`, eighths([2, 5])],
      [`${P}${q}.lora_magnitude_vector.weight`, eighths([2])],
      [`${P}x.lora_embedding_A`, eighths([2, 2])],
      [`${P}y.lora_B.weight`, eighths([2, 3])],
      [`${P}z.scale`, eighths([1])],
    ]),
  );
  await read("foreign names");
  await write([
    [`${q}.lora_A.weight`, eighths([3, 5])],
    [`${q}.lora_B.weight`, eighths([2, 6])],
    ["a.k_proj.lora_A.weight", eighths([3, 5])],
    ["a.k_proj.lora_B.weight", eighths([6])],
  ]);
  await read("wrong ranks");
  rmSync(WEIGHTS);
  await writeTorchCheckpoint(join(folder, "adapter_model.bin"), new Map(pair(`${P}${q}`)));
  await read("old weights");
  await write(pair("model.norm"));
  await read("both: safetensors first");
  await calls.does("no path", () => readAdapter(3 as never));
  calls.lines.splice(0, calls.lines.length, ...calls.lines.map((line) => line.replace(/\d+\.\d{6,}/g, "…")));
  withoutEnginesWords(calls);
  calls.approve("io/peft/read");
});

test("what is written as adapters is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const write = (name: string, adapter: unknown) =>
    calls.does(name, async () => {
      const own = join(folder, name);
      await writeAdapter(own, adapter as never);
      const bytes = readFileSync(join(own, "adapter_model.safetensors"));
      return [
        readdirSync(own),
        readFileSync(join(own, "adapter_config.json"), "utf8").replace(/\n +/g, " "),
        bytes
          .subarray(8, 8 + bytes.readUInt32LE(0))
          .toString()
          .trim(),
      ];
    });
  const q = "model.layers.0.self_attn.q_proj";
  await write("plain", { config: { r: 2 }, tensors: new Map(pair(q)) });
  await write("dropout", {
    config: { r: 2, lora_dropout: 0.25, lora_alpha: 1.5, zebra: null, Alpha: null },
    tensors: new Map(pair(q)),
  });
  await write("whole", {
    config: { r: 2, lora_dropout: 0 },
    tensors: new Map(pair(q)),
    whole: new Map([
      ["lm_head.weight", eighths([3])],
      ["lm_head.bias", eighths([1])],
      [`${q}.weight`, eighths([2, 2])],
      ["norm.weight", eighths([2])],
    ]),
  });
  await write("modules named", {
    config: { r: 2, modules_to_save: ["x"] },
    tensors: new Map(pair(q)),
    whole: new Map([["lm_head.weight", eighths([3])]]),
  });
  await write("no pair", { config: { r: 2 }, tensors: new Map(pair(q).slice(0, 1)) });
  await write("no tensors", { config: { r: 2 }, tensors: new Map() });
  await write("rank", { config: { r: 3 }, tensors: new Map(pair(q)) });
  await write("formula", { config: { r: 2, use_dora: true }, tensors: new Map(pair(q)) });
  await write("object", { config: {}, tensors: {} });
  await write("nothing", {});
  await write("null", null);
  calls.note(
    "not written",
    ["no pair", "rank", "formula", "object"].filter((name) => existsSync(join(folder, name))),
  );
  await calls.does("no path", () => writeAdapter(undefined as never, { config: {}, tensors: new Map() }));
  calls.title("names");
  const tensors = new Map([
    ...pair("model.layers.3.self_attn.q_proj", 2, 12),
    ...pair("model.layers.3.self_attn.k_proj", 2, 12),
    ...pair("model.layers.3.mlp.down_proj"),
    ["lm_head.weight", eighths([2])] as const,
  ]);
  for (const mapping of [
    undefined,
    {},
    { rowOrder: "hf" as const },
    { rowOrder: "meta" as const, heads: 2 },
    { rowOrder: "meta" as const, heads: 2, kvHeads: 1 },
    { rowOrder: "meta" as const },
    { rowOrder: "meta" as const, heads: 5 },
    { rowOrder: "hf" as const, heads: 5 },
    { rowOrder: "meta" as const, kvHeads: 2 },
  ]) {
    await calls.does(`to Meta ${JSON.stringify(mapping)}`, () => shapes(adapterToMeta(tensors, mapping)));
    await calls.does(`and back ${JSON.stringify(mapping)}`, () =>
      shapes(adapterFromMeta(adapterToMeta(tensors), mapping)),
    );
  }
  await calls.does("unknown to Meta", () =>
    adapterToMeta(new Map([...pair("model.layers.0.conv"), ...pair("q"), ...pair(q)])),
  );
  await calls.does("unknown from Meta", () => adapterFromMeta(new Map(pair(q))));
  calls.approve("io/peft/write");
});
