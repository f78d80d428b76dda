import assert from "node:assert/strict";
import {
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import { llavit } from "../../../../src/models";
import { readTensors } from "../../../golden/readTensors";
import { tensor } from "../../../golden/support";
import { assertClose, isLuvitError, repository, valuesOf } from "../../nn/support";

const fixtures = join(repository, "tests", "unit", "models", "llavit", "fixtures");
const llava = join(fixtures, "llava");
const folder = mkdtempSync(join(tmpdir(), "luvit-llava-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the small LLaVA with its index and headers under other names, or another config. */
function copied(name: string, change: { rename?: (key: string) => string; config?: object }): string {
  const place = join(folder, name);
  cpSync(llava, place, { recursive: true });
  if (change.config) {
    const path = join(place, "config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change.config }));
  }
  const { rename } = change;
  if (!rename) return place;
  const renamed = (entries: object) =>
    Object.fromEntries(
      Object.entries(entries).map(([key, x]) => [key === "__metadata__" ? key : rename(key), x]),
    );
  for (const file of readdirSync(place)) {
    const path = join(place, file);
    if (file.endsWith(".index.json")) {
      const index = JSON.parse(readFileSync(path, "utf8"));
      writeFileSync(path, JSON.stringify({ ...index, weight_map: renamed(index.weight_map) }));
    }
    if (!file.endsWith(".safetensors")) continue;
    const bytes = readFileSync(path);
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    writeFileSync(
      path,
      Buffer.concat([headerOf(renamed(JSON.parse(bytes.toString("utf8", 8, end)))), bytes.subarray(end)]),
    );
  }
  return place;
}

function headerOf(entries: object): Buffer {
  const text = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

const styles: [string, ((key: string) => string) | undefined][] = [
  ["as transformers 5 writes it", undefined],
  ["as llava-hf has it", (key) => key.replace(/^vision_tower\./, "vision_tower.vision_model.")],
  [
    "as transformers names its modules",
    (key) =>
      key
        .replace(/^language_model\.lm_head/, "lm_head")
        .replace(/^language_model\.model/, "model.language_model")
        .replace(/^(vision_tower|multi_modal)/, "model.$1"),
  ],
];

for (const [name, rename] of styles) {
  test(`a LLaVA of transformers gives its logits: ${name}`, async () => {
    const model = await llavit.open(copied(name, { rename }));
    const expected = readTensors(join(fixtures, "llava-expected.safetensors"));
    const [images, ids] = [tensor(expected.get("images")!), tensor(expected.get("ids")!)];
    const logits = valuesOf(() => model.forward({ images, ids }, 3));
    assertClose(logits, expected.get("logits")!.data, 2e-5);
    assert.deepEqual(model.layers, [2]);
    assert.match(String(model), /take no part.*post_layernorm/);
  });
}

test("several layers of the tower may be named, from the front and from the back", async () => {
  const place = copied("layers", { config: { vision_feature_layer: [-2, 9] } });
  await assert.rejects(llavit.open(place), isLuvitError("bad-file", "vision_feature_layer", "[-2,9]"));
});

test("what a config says that is computed otherwise here is refused, all at once", async () => {
  const config = {
    vision_feature_select_strategy: "full",
    projector_hidden_act: "relu",
    model_type: "llava_next",
  };
  await assert.rejects(
    llavit.open(copied("otherwise", { config })),
    isLuvitError("bad-file", "vision_feature_select_strategy", "projector_hidden_act", "model_type"),
  );
  const strange = (key: string) =>
    key.includes("linear_2.bias") ? "multi_modal_projector.linear_3.bias" : key;
  await assert.rejects(
    llavit.open(copied("strange", { rename: strange })),
    isLuvitError("key-mismatch", "linear_3", "mm_projector.2.bias"),
  );
});

/** Shapes of llava-1.5-7b-hf. */
function* shapesOf7b(): Generator<[string, number[]]> {
  const [dim, hidden, vocabulary, width] = [4096, 11008, 32064, 1024];
  yield ["vision_tower.vision_model.embeddings.class_embedding", [width]];
  yield ["vision_tower.vision_model.embeddings.patch_embedding.weight", [width, 3, 14, 14]];
  yield ["vision_tower.vision_model.embeddings.position_embedding.weight", [577, width]];
  for (const norm of ["pre_layrnorm", "post_layernorm"])
    for (const kind of ["weight", "bias"]) yield [`vision_tower.vision_model.${norm}.${kind}`, [width]];
  for (let i = 0; i < 24; i++) {
    const layer = `vision_tower.vision_model.encoder.layers.${i}`;
    for (const norm of ["layer_norm1", "layer_norm2"])
      for (const kind of ["weight", "bias"]) yield [`${layer}.${norm}.${kind}`, [width]];
    for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"]) {
      yield [`${layer}.self_attn.${part}.weight`, [width, width]];
      yield [`${layer}.self_attn.${part}.bias`, [width]];
    }
    yield [`${layer}.mlp.fc1.weight`, [4 * width, width]];
    yield [`${layer}.mlp.fc1.bias`, [4 * width]];
    yield [`${layer}.mlp.fc2.weight`, [width, 4 * width]];
    yield [`${layer}.mlp.fc2.bias`, [width]];
  }
  yield ["multi_modal_projector.linear_1.weight", [dim, width]];
  yield ["multi_modal_projector.linear_1.bias", [dim]];
  yield ["multi_modal_projector.linear_2.weight", [dim, dim]];
  yield ["multi_modal_projector.linear_2.bias", [dim]];
  yield ["language_model.model.embed_tokens.weight", [vocabulary, dim]];
  for (let i = 0; i < 32; i++) {
    const layer = `language_model.model.layers.${i}`;
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"])
      yield [`${layer}.self_attn.${part}.weight`, [dim, dim]];
    for (const part of ["gate_proj", "up_proj"]) yield [`${layer}.mlp.${part}.weight`, [hidden, dim]];
    yield [`${layer}.mlp.down_proj.weight`, [dim, hidden]];
    for (const norm of ["input_layernorm", "post_attention_layernorm"])
      yield [`${layer}.${norm}.weight`, [dim]];
  }
  yield ["language_model.model.norm.weight", [dim]];
  yield ["language_model.lm_head.weight", [vocabulary, dim]];
}

/** A checkpoint of those shapes in three files that are holes, but for their headers: nothing of 14 GB is on the disk. */
function write7b(place: string): void {
  cpSync(llava, place, { recursive: true, filter: (path) => !/safetensors/.test(path) });
  const all = [...shapesOf7b()];
  const map: Record<string, string> = {};
  for (let part = 0; part < 3; part++) {
    const file = `model-0000${part + 1}-of-00003.safetensors`;
    const header: Record<string, object> = {};
    let at = 0;
    for (const [name, shape] of all.slice((part * all.length) / 3, ((part + 1) * all.length) / 3)) {
      const end = at + 2 * shape.reduce((a, b) => a * b, 1);
      header[name] = { dtype: "F16", shape, data_offsets: [at, end] };
      map[name] = file;
      at = end;
    }
    const bytes = headerOf(header);
    writeSync(openSync(join(place, file), "w"), bytes);
    truncateSync(join(place, file), bytes.length + at);
  }
  writeFileSync(join(place, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  // As llava-1.5-7b-hf says it: what is LLaMA-7B's anyway is left out.
  const text = { model_type: "llama", rms_norm_eps: 1e-5, vocab_size: 32064 };
  const vision = {
    model_type: "clip_vision_model",
    hidden_size: 1024,
    image_size: 336,
    intermediate_size: 4096,
    num_attention_heads: 16,
    num_hidden_layers: 24,
    patch_size: 14,
  };
  const config = { model_type: "llava", text_config: text, vision_config: vision, vision_feature_layer: -2 };
  writeFileSync(join(place, "config.json"), JSON.stringify(config));
}

test("a LLaVA-1.5-7B opens in little memory, is counted, and is looked into block by block", async () => {
  const place = join(folder, "7b");
  write7b(place);
  const before = process.memoryUsage().rss;
  const model = await llavit.open(place);
  assert.equal(
    model.counts().total,
    [...shapesOf7b()].reduce(
      (sum, [name, shape]) => sum + (name.includes("post_layernorm") ? 0 : shape.reduce((a, b) => a * b, 1)),
      0,
    ),
  );
  assert.ok(model.counts().total > 7e9);
  assert.equal(model.summary().filter(({ path }) => path.startsWith("layers.")).length, 32 * 9);
  assert.equal(model.language.config.heads, 32);
  assert.deepEqual([model.layers, model.patches], [[23], 576]);
  assert.ok(process.memoryUsage().rss - before < 300e6, `${process.memoryUsage().rss - before} bytes taken`);
  const block = model.language.layers[31];
  const out = tf.tidy(() => block.attention_norm.forward(tf.ones([1, 2, 4096])));
  assert.deepEqual(out.shape, [1, 2, 4096]);
  assert.ok(out.dataSync().every((x) => x === 0));
  assert.ok(process.memoryUsage().rss - before < 400e6);
});
