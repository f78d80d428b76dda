import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { narrowFromFloat32 } from "../../../src/io/bytes/floats";
import { readLlamaBlocks } from "../../../src/io/llama/weights";
import { writeSafetensors } from "../../../src/io/safetensors";
import * as classifier from "../../../src/models/classifier";
import * as mae from "../../../src/models/mae";
import { openClassifier } from "../../../src/models/openClassifier";
import { loadClassifier, loadMae } from "../../../src/models/pretrained";
import { assertSameTensors, temporaryFolder, tinyLanguageModel, writeBytes } from "../io/support";
import { dict, dictPickle, tensorOpcodes, torchZip, typedTensorOpcodes } from "../io/torchWriter";
import { assertSameState, isLuvitError } from "../nn/support";
import { tinyDecoder, tinyViT } from "./support";

before(() => startBackend());

const heads = tinyViT.heads;
const make = (seed: number) => classifier.create({ encoder: tinyViT, classes: 3, pooling: "cls", seed });

/** A dict of tensors in a file under the making. */
class File {
  readonly storages: Record<string, Uint8Array> = {};

  tensor({ shape, data }: HostTensor): number[] {
    const key = `${Object.keys(this.storages).length}`;
    this.storages[key] = narrowFromFloat32(data, "F32");
    const strides = shape.map((_, axis) =>
      shape.slice(axis + 1).reduce((product, length) => product * length, 1),
    );
    return tensorOpcodes(key, "FloatStorage", data.length, shape, strides);
  }

  /** Two bytes of a type that is not read. */
  odd(): number[] {
    const key = `${Object.keys(this.storages).length}`;
    this.storages[key] = new Uint8Array(2);
    return typedTensorOpcodes(key, "uint16", 2, [1]);
  }

  state(tensors: StateDict, wrapper = ""): Record<string, number[]> {
    return Object.fromEntries([...tensors].map(([name, tensor]) => [wrapper + name, this.tensor(tensor)]));
  }

  write(entries: Record<string, readonly number[]>): string {
    return writeBytes(temporaryFolder(), "model.pth", torchZip(dictPickle(entries), this.storages));
  }
}

test("a checkpoint opens whatever stands beside its state dict", async () => {
  const [model, file] = [make(1), new File()];
  const path = file.write({ model: dict(file.state(await model.stateDict())), rng: file.odd() });
  const opened = await openClassifier(path, { heads });
  assertSameState(await opened.stateDict(), await model.stateDict());
});

test("averaged weights can be asked for, and the answer says which were taken", async () => {
  const [model, averaged, file] = [make(1), make(2), new File()];
  const path = file.write({
    model: dict(file.state(await model.stateDict())),
    model_ema: dict(file.state(await averaged.stateDict(), "module.")),
  });
  const plain = await openClassifier(path, { heads });
  assertSameState(await plain.stateDict(), await model.stateDict());
  assert.match(`${plain}`, /taken from "model"; "model_ema" would be taken with \{ key \}/);
  const other = await openClassifier(path, { heads, key: "model_ema" });
  assertSameState(await other.stateDict(), await averaged.stateDict());
  assert.match(`${other}`, /taken from "model_ema", names without "module\."/);
  const report = await loadClassifier(make(3), path, { key: "model_ema" });
  assert.match(`${report}`, /taken from "model_ema"/);
  assert.match(`${await loadClassifier(make(3), path)}`, /taken from "model"/);
});

test("names inside wrappers are those of the model, in torch and in safetensors files", async () => {
  const model = make(1);
  const state = await model.stateDict();
  for (const wrapper of ["module.", "_orig_mod.", "model.", "module.base_encoder.", "module._orig_mod."]) {
    const file = new File();
    const wrapped = new Map([...state].map(([name, tensor]) => [wrapper + name, tensor]));
    const paths = [
      file.write({ state_dict: dict(file.state(state, wrapper)) }),
      join(temporaryFolder(), "m.safetensors"),
    ];
    await writeSafetensors(paths[1], wrapped);
    for (const path of paths) {
      const opened = await openClassifier(path, { heads });
      assertSameState(await opened.stateDict(), state);
      assert.ok(`${opened}`.includes(`names without "${wrapper}"`));
      assertSameState(await model.stateDict(), state);
    }
  }
});

test("a wrapper that is not known is named in the message, and can be given", async () => {
  const state = await make(1).stateDict();
  const file = new File();
  const paths = [
    file.write({ state_dict: dict(file.state(state, "module.backbone.")) }),
    join(temporaryFolder(), "m.safetensors"),
  ];
  await writeSafetensors(paths[1], new Map([...state].map(([name, tensor]) => [`backbone.${name}`, tensor])));
  for (const path of paths) {
    const said = isLuvitError("key-mismatch", 'all names begin with "backbone."', '{ key: "backbone" }');
    await assert.rejects(openClassifier(path, { heads }), said);
    await assert.rejects(loadClassifier(make(2), path), said);
    await assert.rejects(loadMae(mae.create({ encoder: tinyViT, decoder: tinyDecoder }), path), said);
  }
  const [torch, safetensors] = paths;
  for (const [path, key] of [
    [torch, "state_dict.module.backbone"],
    [safetensors, "backbone"],
  ]) {
    assertSameState(await (await openClassifier(path, { heads, key })).stateDict(), state);
  }
  await assert.rejects(
    openClassifier(safetensors, { heads, key: "neck" }),
    isLuvitError("key-mismatch", '"neck."'),
  );
});

test("MoCo's pretrained encoder goes into a classifier without its other networks and its projection", async () => {
  const encoder = await make(1).stateDict({ prefix: "" });
  for (const name of ["head.weight", "head.bias"]) encoder.delete(name);
  const file = new File();
  const small = { shape: [1], data: Float32Array.of(1) };
  const path = file.write({
    state_dict: dict({
      ...file.state(encoder, "module.base_encoder."),
      "module.base_encoder.head.0.weight": file.tensor(small),
      "module.momentum_encoder.cls_token": file.tensor(small),
      "module.predictor.0.weight": file.tensor(small),
    }),
  });
  const model = make(2);
  const report = await loadClassifier(model, path);
  assert.match(`${report}`, /2 tensors of other networks left out/);
  assert.deepEqual(report.missing, ["head.weight", "head.bias"]);
  assert.deepEqual((await model.stateDict()).get("cls_token")!.data, encoder.get("cls_token")!.data);
});

test("a type that cannot be read is refused where the model needs the tensor, and nowhere else", async () => {
  const state = await make(1).stateDict();
  const [model, file] = [make(2), new File()];
  const entries = file.state(state);
  const path = file.write({ model: dict({ ...entries, decoder_embed: file.odd() }) });
  assert.ok((await loadClassifier(model, path)).unexpected.includes("decoder_embed"));
  const before = await model.stateDict();
  const other = new File();
  const needed = other.write({ model: dict({ ...other.state(state), "head.bias": other.odd() }) });
  await assert.rejects(loadClassifier(model, needed), isLuvitError("key-mismatch", "head.bias", "uint16"));
  assertSameState(await model.stateDict(), before);
});

test("NaN and infinities are refused where the model would compute with them, and nowhere else", async () => {
  const state = await make(1).stateDict();
  const broken = { shape: [2], data: Float32Array.of(1, Number.NaN) };
  const [unused, model] = [new File(), make(2)];
  await loadClassifier(
    model,
    unused.write({ model: dict({ ...unused.state(state), decoder_embed: unused.tensor(broken) }) }),
  );
  const before = await model.stateDict();
  const used = new File();
  const bias = state.get("head.bias")!;
  state.set("head.bias", {
    ...bias,
    data: bias.data.map((_, i) => (i === 1 ? Number.POSITIVE_INFINITY : 0)),
  });
  const path = used.write({ model: dict(used.state(state)) });
  const said = isLuvitError("non-finite", "head.bias: 0 NaN and 1 infinite of 3");
  await assert.rejects(loadClassifier(model, path), said);
  await assert.rejects(openClassifier(path, { heads }), said);
  assertSameState(await model.stateDict(), before);
});

test("a language model's blocks are found inside DistributedDataParallel and torch.compile", async () => {
  const model = tinyLanguageModel(2);
  const read = async (wrapper: string) => {
    const path = join(temporaryFolder(), "m.safetensors");
    await writeSafetensors(path, new Map([...model].map(([name, tensor]) => [wrapper + name, tensor])));
    return (await readLlamaBlocks(path, { block: 2, heads: 2 })).tensors;
  };
  const plain = await read("");
  for (const wrapper of ["module.", "_orig_mod.", "module._orig_mod."])
    assertSameTensors(await read(wrapper), plain);
});
