import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { llamaDefaults, llamaHints, withoutGaps } from "../../../../src/io/llama/config";
import { ConfigFields } from "../../../../src/io/llama/configFields";
import { formula, ggufFormulaFaults } from "../../../../src/io/llama/ggufFormula";
import { ggufLlamaHints, ROPE_DIVISORS } from "../../../../src/io/llama/ggufLlama";
import * as keymap from "../../../../src/io/llama/keymap";
import {
  formatRopeScaling,
  llama31Scaling,
  parseRopeScaling,
  rotaryFrequencies,
} from "../../../../src/io/llama/ropeScaling";
import * as shapes from "../../../../src/io/llama/shapes";
import { Calls } from "../../../support/calls";
import { eighths } from "../support";

/** A value in letters, NaN and undefined too. */
const say = (value: unknown) =>
  JSON.stringify(value, (_, one) =>
    one === undefined || (typeof one === "number" && !Number.isFinite(one)) ? String(one) : one,
  );

test("what configs of models say is approved", async () => {
  const calls = new Calls();
  calls.note("defaults", llamaDefaults);
  await calls.of(withoutGaps, { a: undefined, b: null, c: 0, d: "" });
  const hf = (value: Record<string, unknown>) =>
    calls.does(say(value), () => llamaHints("a/config.json", value));
  const full = {
    hidden_size: 48,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    head_dim: 16,
    intermediate_size: 100,
    rms_norm_eps: 1e-5,
    rope_theta: 5e5,
    num_hidden_layers: 3,
    vocab_size: 77,
    max_position_embeddings: 99,
    tie_word_embeddings: true,
    sliding_window: 31,
    hidden_act: "silu",
    partial_rotary_factor: 1,
  };
  for (const model_type of [
    undefined,
    null,
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "Llama",
    "constructor",
    3,
  ]) {
    await hf({ ...full, model_type });
    await hf({ model_type, hidden_size: 48, num_attention_heads: 6, attention_bias: true, mlp_bias: true });
  }
  for (const [name, value] of Object.entries(full))
    for (const bad of [null, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "8", true, [8], value])
      await hf({ [name]: bad });
  for (const name of ["attention_bias", "mlp_bias"])
    for (const value of [true, false, null, 0, "true"]) await hf({ model_type: "llama", [name]: value });
  for (const use_sliding_window of [true, false, "true", undefined])
    await hf({ model_type: "qwen2", use_sliding_window, sliding_window: 7 });
  await hf({ rope_parameters: { rope_theta: 7, rope_type: "linear", factor: 3 } });
  await hf({
    rope_theta: 5,
    rope_parameters: { rope_theta: 7 },
    rope_scaling: { type: "linear", factor: 2 },
  });
  await hf({ rope_parameters: { rope_theta: -7 } });
  await hf({ rope_parameters: 3, rope_scaling: { type: "linear", factor: 2 } });
  await hf({ rope_parameters: null, rope_scaling: { type: "linear", factor: 2 } });
  await hf({ hidden_size: 10, num_attention_heads: 4 });
  await hf({ hidden_size: 0, vocab_size: -1, attention_bias: 3, hidden_act: "gelu", model_type: "x" });
  calls.title("params.json");
  const meta = (value: Record<string, unknown>) =>
    calls.does(say(value), () => llamaHints("a/params.json", value));
  const params = {
    dim: 48,
    n_heads: 6,
    n_kv_heads: 2,
    head_dim: 16,
    hidden_dim: 100,
    norm_eps: 1e-5,
    rope_theta: 5e5,
    n_layers: 3,
    sliding_window: 31,
    vocab_size: 9,
  };
  await meta(params);
  await meta({ dim: 48, n_heads: 6 });
  for (const name of Object.keys(params))
    for (const bad of [null, 0, -1, 1.5, "8"]) await meta({ [name]: bad });
  for (const use_scaled_rope of [true, false, null, 1])
    for (const rope_scaling_factor of [undefined, 32, 0])
      await meta({ use_scaled_rope, rope_scaling_factor });
  await meta({ rope_scaling: { rope_type: "linear", factor: 2 } });
  await meta({ moe: {} });
  await meta({ moe: null });
  await calls.does("params.json elsewhere", () =>
    llamaHints("params.json/other.json", { dim: 3, hidden_size: 4 }),
  );
  calls.title("fields");
  await calls.does("all", () => {
    const fields = new ConfigFields({ a: 3, b: 1.5, c: "x", d: true, e: { a: 0, f: 2 }, g: null });
    const inner = fields.inside("e");
    return [
      fields.count("a"),
      fields.count("b"),
      fields.count("b"),
      fields.positive("b"),
      fields.positive("c"),
      fields.flag("d"),
      fields.flag("c"),
      inner.count("a"),
      inner.positive("f"),
      fields.inside("c").count("x"),
      fields.inside("g").flag("x"),
      fields.inside("none").count("x"),
      fields.require("c", [undefined, "y", 3]),
      fields.require("g", [undefined, "y"]),
      fields.require("c", ["x"]),
      fields.faults,
    ];
  });
  calls.approve("io/llama/config");
});

test("scalings of the rotary embedding are approved", async () => {
  const calls = new Calls();
  calls.note("LLaMA 3.1", llama31Scaling);
  const llama3 = {
    rope_type: "llama3",
    factor: 4,
    low_freq_factor: 1,
    high_freq_factor: 3,
    original_max_position_embeddings: 64,
  };
  const written = [
    undefined,
    null,
    "linear",
    3,
    {},
    [],
    { rope_type: "default" },
    { type: "default" },
    { rope_type: null, type: "linear", factor: 2 },
    { type: "linear", factor: 2.5 },
    { rope_type: "linear", type: "default", factor: 2 },
    { type: "linear" },
    { type: "linear", factor: 0 },
    { type: "linear", factor: -1 },
    { type: "linear", factor: "2" },
    llama3,
    { ...llama3, factor: 0 },
    { ...llama3, low_freq_factor: undefined },
    { ...llama3, high_freq_factor: "3" },
    { ...llama3, original_max_position_embeddings: -1 },
    { type: "yarn", factor: 2 },
    { type: "x".repeat(61) },
    { type: 3 },
    { type: { a: 1 } },
    { type: "Linear", factor: 2 },
  ];
  for (const value of written) await calls.of(parseRopeScaling, value);
  const scalings = [
    undefined,
    { type: "linear", factor: 3 } as const,
    parseRopeScaling(llama3)!,
    { type: "divisors", divisors: [1, 2, 3, 4] } as const,
    { type: "divisors", divisors: [1, 2, 3] } as const,
    { type: "other", name: "yarn" } as const,
  ];
  for (const scaling of scalings) {
    await calls.of(rotaryFrequencies, 8, 100, scaling);
    await calls.of(formatRopeScaling, scaling);
  }
  await calls.of(rotaryFrequencies, 6, 10000);
  await calls.of(rotaryFrequencies, 2, 5);
  await calls.of(rotaryFrequencies, 16, 10, { ...llama31Scaling, originalLength: 20 });
  // At the borders: a frequency that turns exactly once, and exactly four times.
  await calls.of(rotaryFrequencies, 2, 10, { ...llama31Scaling, originalLength: 2 * Math.PI });
  await calls.of(rotaryFrequencies, 2, 10, { ...llama31Scaling, originalLength: 8 * Math.PI });
  calls.approve("io/llama/ropeScaling");
});

test("names of tensors in each scheme are approved", async () => {
  const calls = new Calls();
  const { llamaBlockModules, llamaExtraModules, visionModules, llamaOuterModules } = keymap;
  for (const [name, table] of Object.entries({
    llamaBlockModules,
    llamaExtraModules,
    visionModules,
    llamaOuterModules,
  }))
    calls.note(name, table);
  const metaNames = [...keymap.llamaBlockModules, ...keymap.llamaExtraModules, ...keymap.visionModules]
    .map(({ meta }) => `layers.12.${meta}`)
    .concat(["tok_embeddings", "norm", "output"]);
  for (const module of metaNames)
    await calls.does(module, () => {
      const name = `${module}.weight`;
      const [hf, gguf] = [keymap.metaToHfName(name), keymap.metaToGgufName(name)];
      return [hf, gguf, hf && keymap.hfToMetaName(hf), gguf && keymap.ggufToMetaName(gguf)];
    });
  const names = [
    "layers.0.attention.wq",
    "layers.0.attention.wq.bias",
    "layers.0.attention.wq.lora_A.weight",
    "layers.0.attention.wq.lora_B.weight",
    "layers.0.attention.wq.lora_C.weight",
    "layers.x.attention.wq.weight",
    "layers.-1.attention.wq.weight",
    "a.layers.0.attention.wq.weight",
    "layers.0.attention.wx.weight",
    "rope.freqs",
    "",
    ".weight",
    "weight",
    "model.layers.7.self_attn.q_proj.weight",
    "layers.7.self_attn.q_proj.weight",
    "model.layers.7.mlp.gate_proj.bias",
    "model.model.layers.7.mlp.gate_proj.weight",
    "model.layers.7.input_layernorm.scale",
    "embed_tokens.weight",
    "model.embed_tokens.weight",
    "lm_head.weight",
    "model.lm_head.weight",
    "model.norm.weight",
    "norm.weight",
    "lm_head.lora_A.weight",
    "blk.7.attn_q.weight",
    "blk.7.attn_q.bias",
    "blk.7.attn_q",
    "blk.a.attn_q.weight",
    "blk.7.attn_x.weight",
    "token_embd.weight",
    "output_norm.weight",
    "output.weight",
    "BLK.7.attn_q.weight",
  ];
  for (const name of names)
    await calls.does(name || "empty", () =>
      [keymap.hfToMetaName, keymap.metaToHfName, keymap.ggufToMetaName, keymap.metaToGgufName].map((to) =>
        to(name),
      ),
    );
  for (const naming of ["hf", "meta", "gguf"] as const)
    for (const name of ["model.norm.weight", "norm.weight", "output_norm.weight", "x"])
      await calls.does(`${naming} ${name}`, () => [
        keymap.toMetaName(naming, name),
        keymap.fromMetaName(naming, name),
      ]);
  for (const name of [
    "rope.freqs",
    "a.rope.freqs",
    "arope.freqs",
    "rope.freqs.x",
    "model.layers.0.self_attn.rotary_emb.inv_freq",
    "rotary_emb.inv_freq",
    "blk.0.attn_rot_embd",
    "attn_rot_embd.weight",
    "rope_freqs.weight",
  ])
    await calls.of(keymap.isComputedLlamaTensor, name);
  for (const list of [
    [],
    ["x"],
    ["layers.0.attention.wq.weight"],
    ["model.layers.0.self_attn.q_proj.weight"],
    ["layers.0.self_attn.q_proj.weight"],
    ["blk.0.attn_q.weight"],
    ["blk.0.attn_x.weight"],
    ["layers.0.x.weight", "model.layers.1.mlp.up_proj.weight"],
    ["model.layers.1.mlp.up_proj.weight", "layers.0.attention.wk.weight"],
    ["norm.weight", "output.weight"],
    ["blk.0.attn_q.weight", "layers.0.attention.wq.weight"],
    ["a.layers.0.attention.wq.weight"],
    ["layers.0.attention_norm.weight"],
  ])
    await calls.of(keymap.detectLlamaNaming, list);
  calls.title("order of rows");
  for (const [shape, heads] of [
    [[8, 2], 2],
    [[8, 1], 1],
    [[12], 3],
    [[4, 3], 2],
    [[2], 1],
    [[8, 2], 4],
    [[8, 2], 8],
    [[8, 2], 3],
    [[0, 2], 1],
    [[], 1],
    [[6, 2], 2],
    [[8], 0],
  ] as const) {
    await calls.of(keymap.permuteRowsHfToMeta, eighths(shape), heads);
    await calls.of(keymap.permuteRowsMetaToHf, eighths(shape), heads);
  }
  const tensors: StateDict = new Map([
    ["layers.0.attention.wq.weight", eighths([8, 1])],
    ["layers.0.attention.wk.weight", eighths([4, 2])],
    ["layers.0.attention.wk.bias", eighths([4])],
    ["layers.0.attention.wv.weight", eighths([4, 1])],
    ["attention.q_norm.weight", eighths([4])],
    ["x.attention.k_norm.weight", eighths([4])],
    ["layers.0.attention.wq.lora_A.weight", eighths([4, 1])],
    ["layers.0.attention.wq.lora_B.weight", eighths([8, 1])],
    ["layers.0.attention.vision_wq.weight", eighths([8])],
    ["layers.0.attention.vision_wk.weight", eighths([4])],
    ["layers.0.attention.vision_wv.weight", eighths([8])],
    ["xattention.wq.weight", eighths([8])],
    ["attention_norm.weight", eighths([3])],
  ]);
  for (const [from, to] of [
    ["hf", "meta"],
    ["meta", "hf"],
    ["hf", "hf"],
  ] as const) {
    await calls.does(`${from} to ${to}`, () =>
      [...keymap.convertRowOrder(tensors, { heads: 2, kvHeads: 1 }, from, to)].map(
        ([name, { shape, data }]) => `${name} [${shape}] ${[...data].map((x) => 8 * x + 15)}`,
      ),
    );
    await calls.does(`${from} to ${to}, kept`, () =>
      [...keymap.convertRowOrder(tensors, { heads: 2, kvHeads: 1 }, from, to)]
        .filter(([name, one]) => tensors.get(name) === one)
        .map(([name]) => name),
    );
  }
  await calls.does("wrong heads", () =>
    keymap.convertRowOrder(tensors, { heads: 3, kvHeads: 4 }, "hf", "meta"),
  );
  calls.approve("io/llama/keymap");
});

test("shapes of blocks, and what follows from them, are approved", async () => {
  const calls = new Calls();
  for (const features of [
    {},
    { qkvBias: true },
    { outputBias: true },
    { mlpBias: true },
    { qkNorm: true },
    { qkvBias: false, qkNorm: true, mlpBias: true },
  ])
    await calls.of(shapes.blockParameters, features);
  const has =
    (...names: string[]) =>
    (name: string) =>
      names.includes(name);
  const bias = ["wq", "wk", "wv"].map((name) => `attention.${name}.bias`);
  await calls.does("features: none", () => shapes.findFeatures({}, has()));
  for (const count of [1, 2, 3])
    await calls.does(`features: ${count} biases`, () =>
      shapes.findFeatures({}, has(...bias.slice(0, count))),
    );
  for (const names of [
    ["attention.wo.bias"],
    ["attention.q_norm.weight"],
    ["attention.q_norm.weight", "attention.k_norm.weight"],
    ["feed_forward.w1.bias"],
    ["feed_forward.w1.bias", "feed_forward.w2.bias"],
  ])
    await calls.does(`features: ${names}`, () => shapes.findFeatures({}, has(...names)));
  await calls.does("features: said not", () =>
    shapes.findFeatures({ qkvBias: false, qkNorm: true, mlpBias: undefined }, has(...bias)),
  );
  const widths = { dim: 6, hiddenDim: 10, qDim: 8, kvDim: 4, headDim: 2 };
  await calls.of(shapes.expectedBlockShapes, widths);
  for (const [expected, actual] of [
    [
      [2, 3],
      [2, 3],
    ],
    [
      [2, 3],
      [3, 2],
    ],
    [[2], [2, 1]],
    [[2, 1], [2]],
    [[], []],
    [[], [1]],
  ])
    await calls.of(shapes.describeShapeFault, expected, actual);
  calls.title("widths");
  const infos = (change: Record<string, number[] | undefined> = {}) => {
    const all = {
      ...Object.fromEntries(
        [...shapes.expectedBlockShapes(widths)].filter(([name]) => !/q_norm|k_norm|bias/.test(name)),
      ),
      ...change,
    };
    return new Map(
      Object.entries(all).flatMap(([name, shape]) =>
        shape ? [[name, { shape, dtype: "F32" }] as const] : [],
      ),
    );
  };
  const infer = (label: string, block: Parameters<typeof shapes.inferBlockWidths>[0], hints = {}) =>
    calls.does(`${label} ${say(hints)}`, () => shapes.inferBlockWidths(block, hints));
  for (const hints of [
    {},
    { dim: 7 },
    { hiddenDim: 11 },
    { heads: 4 },
    { heads: 4, headDim: 3 },
    { headDim: 2 },
    { heads: 4, kvHeads: 2 },
    { kvHeads: 2 },
    { heads: 4, kvHeads: 1, headDim: 3 },
    { kvHeads: 2, headDim: 5 },
  ])
    await infer("good", infos(), hints);
  await infer("norms", infos({ "attention.q_norm.weight": [4] }));
  await infer("norms", infos({ "attention.q_norm.weight": [4] }), { headDim: 3, kvHeads: 2 });
  for (const name of infos().keys()) await infer(`${name} odd`, infos({ [name]: [17, 19] }));
  await infer("nothing", new Map());
  await infer("128", new Map([["attention.wq.weight", { shape: [384, 6], dtype: "F32" }]]));
  await infer(
    "two only",
    infos(Object.fromEntries([...infos().keys()].slice(2).map((name) => [name, undefined]))),
  );
  calls.title("configs");
  const complete = (own: Partial<typeof widths>, hints = {}, features = {}) =>
    calls.does(`${say(own)} ${say(hints)} ${say(features)}`, () =>
      shapes.completeConfig({ ...widths, ...own }, hints, features),
    );
  await complete({}, {});
  for (const hints of [
    { heads: 4 },
    { heads: 3 },
    { heads: 2 },
    { heads: 4, normEps: 1e-5 },
    { heads: 4, ropeTheta: 7 },
    {
      heads: 4,
      normEps: 1,
      ropeTheta: 3,
      ropeScaling: { type: "linear", factor: 2 },
      slidingWindow: 5,
      layers: 9,
      vocabSize: 7,
    },
  ])
    await complete({}, hints, { qkNorm: true });
  for (const own of [
    { headDim: 0 },
    { headDim: 3 },
    { kvDim: 3 },
    { kvDim: 6 },
    { qDim: 12, kvDim: 8 },
    { qDim: 6, headDim: 2, kvDim: 2 },
    { qDim: 6, dim: 6, headDim: 1.5, kvDim: 3 },
    { headDim: 2, kvDim: 0 },
  ]) {
    await complete(own);
    await complete(own, { heads: 3, normEps: 1e-6 });
  }
  calls.approve("io/llama/shapes");
});

test("what GGUF headers say of models is approved", async () => {
  const calls = new Calls();
  calls.note("divisors", ROPE_DIVISORS);
  for (const [name, neutral] of Object.entries(formula)) {
    const values = [
      0,
      1,
      2,
      false,
      true,
      "silu",
      "swish",
      "gelu",
      [],
      [0, 0],
      [0, 1],
      [1, 1],
      Uint8Array.of(0, 0),
    ];
    await calls.does(`${name} ${say(neutral)}`, () =>
      values
        .map((value) => ggufFormulaFaults(new Map([[`llama.${name}`, value]]), "llama", 8).length)
        .join(" "),
    );
  }
  const faults = (entries: Record<string, unknown>, length: number | undefined = 16) =>
    calls.does(`${say(entries)} ${length}`, () =>
      ggufFormulaFaults(
        new Map(Object.entries(entries).map(([name, value]) => [`a.${name}`, value])) as never,
        "a",
        length,
      ),
    );
  await faults({ "attention.clamp_kqv": 3, hidden_activation: "gelu", residual_scale: [0, 2] });
  for (const scale of [0, 0.25, 0.3, "x"]) await faults({ "attention.scale": scale });
  await faults({ "attention.scale": 1 / Math.sqrt(12) }, 12);
  await faults({ "attention.scale": Math.fround(1 / Math.sqrt(12)) }, 12);
  await calls.does("scale of unknown keys", () =>
    [0, 0.25].map((scale) => ggufFormulaFaults(new Map([["a.attention.scale", scale]]), "a", undefined)),
  );
  for (const swa of [16, 8])
    await faults({ "attention.key_length_swa": swa, "attention.value_length_swa": swa });
  await calls.does("swa of unknown keys", () =>
    ggufFormulaFaults(new Map([["a.attention.key_length_swa", 16]]), "a", undefined),
  );
  for (const base of [{ "rope.freq_base": 5 }, {}])
    for (const swa of [5, 6])
      await faults({ ...base, "rope.freq_base_swa": swa, "rope.dimension_count_swa": swa });
  await faults({ "attention.layer_norm_epsilon": 1 });
  await faults({ "attention.layer_norm_epsilon": 1, "attention.layer_norm_rms_epsilon": 2 });
  await faults({ "attention.sliding_window": 3 });
  await faults({ "attention.sliding_window_pattern": 3 });
  await faults({ "attention.sliding_window": 3, "attention.sliding_window_pattern": [true, false] });
  await faults({ "rope.dimension_sections": [1, 2] });
  calls.title("hints");
  const hints = (entries: Record<string, unknown>, architecture: unknown = "llama") =>
    calls.does(`${say(architecture)} ${say(entries)}`, () =>
      ggufLlamaHints(
        "x",
        new Map<string, unknown>([
          ["general.architecture", architecture],
          ...Object.entries(entries).map(([name, value]): [string, unknown] => [
            `${String(architecture)}.${name}`,
            value,
          ]),
        ]) as never,
      ),
    );
  const full = {
    embedding_length: 48,
    "attention.head_count": 6,
    "attention.head_count_kv": 2,
    feed_forward_length: 100,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "rope.freq_base": 5e5,
    block_count: 3,
    context_length: 99,
    "attention.sliding_window": 31,
  };
  for (const architecture of ["llama", "qwen2", "qwen3", "gemma", "Llama", "toString", 3, undefined])
    await hints(full, architecture);
  for (const name of Object.keys(full))
    for (const bad of [0, -1, Number.NaN, "8", { length: 3 }, [1, 2]]) await hints({ [name]: bad });
  await hints({});
  for (const experts of [0, 1, 8, [8]]) await hints({ expert_count: experts });
  for (const keys of [
    { "attention.key_length": 16 },
    { "attention.key_length": 16, "attention.value_length": 16 },
    { "attention.key_length": 16, "attention.value_length": 8 },
    { "attention.value_length": 8 },
  ])
    for (const more of [{}, { embedding_length: 48, "attention.head_count": 6 }])
      await hints({ ...keys, ...more });
  for (const count of [8, 4])
    await hints({ embedding_length: 48, "attention.head_count": 6, "rope.dimension_count": count });
  for (const scaling of [
    { "scaling.type": "none", "scaling.factor": 2 },
    { "scaling.type": "linear" },
    { "scaling.type": "linear", "scaling.factor": 2 },
    { "scaling.factor": 2 },
    { scale_linear: 3 },
    { "scaling.factor": 2, scale_linear: 3 },
    { "scaling.factor": 1 },
    { "scaling.factor": 0 },
    { "scaling.factor": -1 },
    { "scaling.factor": "2" },
    { "scaling.factor": Number.NaN },
    { "scaling.type": "yarn", "scaling.factor": 2 },
    { "scaling.type": 3 },
    { "scaling.factor": 2, "scaling.attn_factor": 1 },
    { "scaling.factor": 2, "scaling.attn_factor": 1.5 },
    { "scaling.factor": 2, "scaling.yarn_ext_factor": 1 },
    { "scaling.factor": 2, "scaling.yarn_ext_factor": -1 },
    { "scaling.factor": 2, "scaling.yarn_ext_factor": 0 },
  ])
    await hints(Object.fromEntries(Object.entries(scaling).map(([name, value]) => [`rope.${name}`, value])));
  calls.approve("io/llama/gguf");
});
