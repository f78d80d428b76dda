import assert from "node:assert/strict";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import { pickleOf } from "../../../../src/io/torch/torchWriter";
import { llavit } from "../../../../src/models";

const folder = mkdtempSync(join(tmpdir(), "luvit-sparse-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

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

type Shapes = [name: string, shape: number[]][];
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A safetensors file of zeros that is a hole but for its header. */
function writeSafetensors(path: string, tensors: Shapes): void {
  const header: Record<string, object> = {};
  let at = 0;
  for (const [name, shape] of tensors) {
    header[name] = { dtype: "F16", shape, data_offsets: [at, at + 2 * sizeOf(shape)] };
    at += 2 * sizeOf(shape);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([length, text]));
  ftruncateSync(file, 8 + text.length + at);
  closeSync(file);
}

/** What torch.save writes, an archive of less than 4 GB, with holes where the numbers are. */
function writeTorch(path: string, tensors: Shapes): void {
  const file = openSync(path, "w");
  const directory: Buffer[] = [];
  let at = 0;
  const add = (name: string, size: number, content?: Uint8Array) => {
    const [local, central] = [Buffer.alloc(30), Buffer.alloc(46)];
    local.writeUInt32LE(0x04034b50, 0);
    central.writeUInt32LE(0x02014b50, 0);
    for (const [header, sizes, length] of [
      [local, 18, 26],
      [central, 20, 28],
    ] as const) {
      header.writeUInt32LE(size, sizes);
      header.writeUInt32LE(size, sizes + 4);
      header.writeUInt16LE(name.length, length);
    }
    central.writeUInt32LE(at, 42);
    directory.push(central, Buffer.from(name));
    writeSync(file, Buffer.concat([local, Buffer.from(name)]), 0, 30 + name.length, at);
    at += 30 + name.length;
    if (content) writeSync(file, content, 0, size, at);
    at += size;
  };
  const pickle = pickleOf(new Map(tensors.map(([name, shape]) => [name, { shape }])), "F16", {});
  add("archive/data.pkl", pickle.length, pickle);
  add("archive/byteorder", 6, Buffer.from("little"));
  for (const [i, [, shape]] of tensors.entries()) add(`archive/data/${i}`, 2 * sizeOf(shape));
  add("archive/version", 2, Buffer.from("3\n"));
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  for (const place of [8, 10]) end.writeUInt16LE(directory.length / 2, place);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  writeSync(file, Buffer.concat([entries, end]), 0, entries.length + 22, at);
  closeSync(file);
}

const formats = {
  safetensors: { write: writeSafetensors, index: "model.safetensors.index.json", ending: "safetensors" },
  torch: { write: writeTorch, index: "pytorch_model.bin.index.json", ending: "bin" },
};

/** A checkpoint of those shapes in eight files: nothing of 14 GB is on the disk but headers. Returns its bytes. */
function write7b(place: string, { write, index, ending }: (typeof formats)["torch"]): number {
  mkdirSync(place);
  const all = [...shapesOf7b()];
  const map: Record<string, string> = {};
  let bytes = 0;
  for (let part = 0; part < 8; part++) {
    const file = `model-0000${part + 1}-of-00008.${ending}`;
    const own = all.slice((part * all.length) / 8, ((part + 1) * all.length) / 8);
    write(join(place, file), own);
    for (const [name] of own) map[name] = file;
    bytes += statSync(join(place, file)).size;
  }
  writeFileSync(join(place, index), JSON.stringify({ weight_map: map }));
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
  return bytes;
}

for (const [format, how] of Object.entries(formats)) {
  test(`a LLaVA-1.5-7B in ${format} opens in a hundredth of its size, is counted, and looked into`, async () => {
    const place = join(folder, format);
    const bytes = write7b(place, how);
    assert.ok(bytes > 14e9, `${bytes} bytes`);
    const before = process.memoryUsage().rss;
    const taken = () => process.memoryUsage().rss - before;
    const model = await llavit.open(place);
    assert.equal(
      model.counts().total,
      [...shapesOf7b()].reduce(
        (sum, [name, shape]) => sum + (name.includes("post_layernorm") ? 0 : sizeOf(shape)),
        0,
      ),
    );
    assert.equal(model.summary().filter(({ path }) => path.startsWith("layers.")).length, 32 * 9);
    assert.equal(model.language.config.heads, 32);
    assert.deepEqual([model.layers, model.patches], [[23], 576]);
    assert.ok(taken() < bytes / 100, `${taken()} of ${bytes} bytes taken`);
    const block = model.language.layers[31];
    const out = tf.tidy(() => block.attention.wq.forward(tf.ones([1, 2, 4096])));
    assert.deepEqual(out.shape, [1, 2, 4096]);
    assert.ok(out.dataSync().every((x) => x === 0));
    // One matrix, as it is stored, as float32, and in the memory of tfjs.
    assert.ok(taken() < bytes / 100 + 4 * 4 * 4096 ** 2, `${taken()} of ${bytes} bytes taken`);
  });
}
