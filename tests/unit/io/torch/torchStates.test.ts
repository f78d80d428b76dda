import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostTensor } from "../../../../src/core/hostTensor";
import { UnreadableTensor } from "../../../../src/io/bytes";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import type { WeightFile } from "../../../../src/io/checkpoint/checkpoint";
import { unwrap, withoutWrappers } from "../../../../src/io/checkpoint/wrappers";
import { elementBytes, storageDtypes, torchDtype } from "../../../../src/io/torch/torchDtypes";
import { openTorchFile } from "../../../../src/io/torch/torchFile";
import { assertRejects } from "../support";
import {
  dict,
  dictPickle,
  global,
  integer,
  op,
  tensorOpcodes,
  text,
  torchZip,
  tuple,
  typedTensorOpcodes,
} from "../torchWriter";

const bytes = new Uint8Array(64);
const tensor = (key = "0") => tensorOpcodes(key, "FloatStorage", 2, [2], [1]);
const open = (entries: Record<string, readonly number[]>) =>
  openTorchFile(memorySource("x.pth", torchZip(dictPickle(entries), { "0": bytes })));
const stateOf = async (entries: Record<string, readonly number[]>, key?: string) => {
  const { tensors, where, others } = (await open(entries)).state(key);
  return [[...tensors.keys()], where, others];
};

test("a state dict is found beside other tensors, in timm's order", async () => {
  const [a, b] = [dict({ a: tensor() }), dict({ b: tensor() })];
  assert.deepEqual(await stateOf({ model: a, rng: tensor() }), [["a"], "model", []]);
  assert.deepEqual(await stateOf({ model: a, state_dict: b }), [["b"], "state_dict", ["model"]]);
  assert.deepEqual(await stateOf({ model_ema: b, model: a }), [["a"], "model", ["model_ema"]]);
  assert.deepEqual(await stateOf({ epoch: integer(3), model_ema: b }), [["b"], "model_ema", []]);
  assert.deepEqual(await stateOf({ x: tensor(), optimizer: dict({ state: dict({}) }) }), [["x"], "", []]);
  assert.deepEqual(
    await stateOf({ x: tensor(), model: tensor() }),
    [["x", "model"], "", []],
    "a tensor of that name",
  );
});

test("another dict can be asked for, inside others too, and names by what they begin with", async () => {
  const teacher = dict({ "backbone.a": tensor(), "head.b": tensor() });
  const entries = { model: dict({ a: tensor() }), ema: dict({ module: dict({ c: tensor() }) }), teacher };
  assert.deepEqual(await stateOf(entries, "ema.module"), [["c"], "ema.module", []]);
  assert.deepEqual(await stateOf(entries, "teacher.backbone"), [["a"], "teacher.backbone", []]);
  assert.deepEqual(await stateOf({ "a.b.c": tensor(), d: tensor() }, "a.b"), [["c"], "a.b", []]);
  await assertRejects(() => stateOf(entries, "model_ema"), "key-mismatch", '"model_ema"', "  teacher");
});

const foreignTypes: Record<string, readonly number[]> = {
  uint16: typedTensorOpcodes("0", "uint16", 4, [2]),
  complex64: typedTensorOpcodes("0", "complex64", 16, [2]),
  float8_e4m3fnuz: typedTensorOpcodes("0", "float8_e4m3fnuz", 2, [2]),
  uint3_of_tomorrow: typedTensorOpcodes("0", "uint3_of_tomorrow", 2, [2]),
  complex128: tensorOpcodes("0", "ComplexDoubleStorage", 2, [2], [1]),
  "a quantized tensor": [
    ...global("torch._utils", "_rebuild_qtensor"),
    ...tuple(
      [
        ...tuple(text("storage"), global("torch", "QInt8Storage"), text("0"), text("cpu"), integer(2)),
        ...op.persistent,
      ],
      ...[integer(0), tuple(integer(2)), tuple(integer(1))],
      tuple(global("torch", "per_tensor_affine"), integer(1), integer(0)),
    ),
    ...op.reduce,
  ],
  "a sparse tensor": [
    ...global("torch._utils", "_rebuild_sparse_tensor"),
    ...tuple(
      [...global("torch.serialization", "_get_layout"), ...tuple(text("torch.sparse_coo")), ...op.reduce],
      tuple(tensor(), tensor(), tuple(integer(2))),
    ),
    ...op.reduce,
  ],
};

for (const [type, opcodes] of Object.entries(foreignTypes)) {
  test(`${type} harms only who asks for it`, async () => {
    const file = await open({ model: dict({ a: tensor(), odd: opcodes }), beside: opcodes });
    const { tensors } = file.state();
    const wanted = new Map([...tensors].filter(([name]) => name === "a"));
    assert.equal((await file.readTensors(wanted)).size, 1);
    await assertRejects(() => file.readTensors(tensors), "bad-file", `odd: ${type}`);
  });
}

test("every type of torch by its name and by its old storage, with the bytes that a number takes", () => {
  const types: [names: string[], storage: string | undefined, dtype: string, bytes: number][] = [
    [["float64", "double"], "Double", "F64", 8],
    [["float32", "float"], "Float", "F32", 4],
    [["float16", "half"], "Half", "F16", 2],
    [["bfloat16"], "BFloat16", "BF16", 2],
    [["int64", "long"], "Long", "I64", 8],
    [["int32", "int"], "Int", "I32", 4],
    [["int16", "short"], "Short", "I16", 2],
    [["int8"], "Char", "I8", 1],
    [["uint8"], "Byte", "U8", 1],
    [["bool"], "Bool", "BOOL", 1],
    [["complex64", "cfloat"], "ComplexFloat", "complex64", 8],
    [["complex128", "cdouble"], "ComplexDouble", "complex128", 16],
    [["complex32", "chalf"], undefined, "complex32", 4],
    [["qint8"], "QInt8", "qint8", 1],
    [["quint8"], "QUInt8", "quint8", 1],
    [["qint32"], "QInt32", "qint32", 4],
    [["uint16"], undefined, "uint16", 2],
    [["uint32"], undefined, "uint32", 4],
    [["uint64"], undefined, "uint64", 8],
    [["float8_e5m2"], undefined, "float8_e5m2", 1],
  ];
  for (const [names, storage, dtype, size] of types) {
    for (const name of names) assert.equal(torchDtype(name), dtype, name);
    if (storage) assert.equal(storageDtypes[`${storage}Storage`], dtype, storage);
    assert.equal(elementBytes(dtype), size, dtype);
  }
  for (const none of ["load", "Tensor", "toString", "float_", "xint8"])
    assert.equal(torchDtype(none), undefined, none);
  for (const unknown of ["uint3", "bits16", "toString"]) assert.equal(elementBytes(unknown), undefined);
});

test("without a usual key the only dict of tensors is taken, and several are a choice to be made", async () => {
  const state = dict({ a: tensor(), b: tensor() });
  const found = async (entries: Record<string, readonly number[]>) => (await open(entries)).state();
  for (const [where, entries] of [
    ["net", { net: state, epoch: integer(1) }],
    ["net", { net: state, rng: tensor() }],
    ["checkpoint.state_dict", { checkpoint: dict({ state_dict: state, epoch: integer(1) }) }],
    ["", { a: tensor(), b: tensor(), c: tensor(), buffers: state }],
    ["model", { other: state, model: state }],
  ] as const) {
    const taken = await found(entries);
    assert.equal(taken.where, where);
    assert.deepEqual([...taken.tensors.keys()].slice(0, 2), ["a", "b"]);
  }
  const choice = () => found({ student: state, teacher: dict({ backbone: state }) });
  await assertRejects(choice, "key-mismatch", "several", '{ key: "student" }', "teacher.backbone");
});

test("foreign types that reach past their storage are still refused, and so are names that are no types", async () => {
  const long = typedTensorOpcodes("0", "uint16", 4, [3]);
  await assertRejects(() => open({ model: dict({ a: long }) }), "bad-file", "past the end");
  for (const name of ["load", "hub", "int_", "float", "jit.load", "ops", "uint"].filter(
    (name) => name !== "float",
  ))
    await assertRejects(() => open({ a: global("torch", name) }), "refused-file", `torch.${name}`);
  const called = [...global("torch", "uint16"), ...op.emptyTuple, ...op.reduce];
  await assertRejects(() => open({ a: called }), "refused-file", "a call of torch.uint16");
  const attribute = [
    ...global("builtins", "getattr"),
    ...tuple(global("torch", "Tensor"), text("x")),
    ...op.reduce,
  ];
  await assertRejects(() => open({ a: attribute }), "refused-file", "builtins.getattr");
});

test("known wrappers are taken from names that all have them, one around the other", () => {
  const names = (wrapper: string) =>
    ["cls_token", "blocks.0.norm1.weight", "head.bias"].map((name) => wrapper + name);
  for (const wrapper of [
    "",
    "module.",
    "_orig_mod.",
    "model.",
    "base_encoder.",
    "module._orig_mod.model.",
    "module.base_encoder.",
  ]) {
    const { names: plain, wrapper: found, unknown, leftOut } = unwrap(names(wrapper));
    assert.deepEqual(
      [...plain],
      names("").map((name) => [name, wrapper + name]),
    );
    assert.deepEqual([found, unknown, leftOut], [wrapper, [], []]);
  }
  assert.equal(unwrap([...names("module."), "epoch.weight"]).wrapper, "", "not all names have it");
  const strange = unwrap(names("module.backbone."));
  assert.deepEqual([strange.wrapper, strange.unknown], ["module.", ["backbone."]]);
  assert.deepEqual(unwrap([...names("student."), ...names("teacher.")]).unknown, ["student.", "teacher."]);
  assert.deepEqual(
    unwrap([...names(""), ...names("teacher.")]).unknown,
    [],
    "a model's own names are there too",
  );
  const averaged = unwrap(["n_averaged", ...names("module.")]);
  assert.deepEqual([averaged.wrapper, [...averaged.names.keys()]], ["module.", names("")]);
  assert.equal(unwrap([]).names.size, 0);
});

test("a file without its wrapper is asked by the names inside, and tells of them as they come", async () => {
  const stored = ["module._orig_mod.a", "module._orig_mod.b"];
  const tensors = new Map(stored.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]));
  const asked: string[][] = [];
  const info = (name: string) => ({ shape: [1], dtype: name });
  const file = {
    names: ["n_averaged", ...stored],
    info: async (name: string) => info(name),
    infos: async (names: readonly string[]) => new Map(names.map((name) => [name, info(name)])),
    readTensors: async (names: readonly string[], seen?: (name: string, tensor: HostTensor) => void) => {
      asked.push([...names]);
      for (const name of names) seen?.(name, tensors.get(name)!);
      return new Map(names.map((name) => [name, tensors.get(name)!]));
    },
  } as unknown as WeightFile;
  const plain = withoutWrappers(file);
  assert.deepEqual(plain.names, ["a", "b"]);
  assert.equal((await plain.info("b")).dtype, stored[1]);
  assert.deepEqual([...(await plain.infos(["b"]))], [["b", info(stored[1])]]);
  const came: string[] = [];
  const read = await plain.readTensors(["b", "a"], (name, { data }) => came.push(`${name} ${data[0]}`));
  assert.deepEqual([[...read.keys()], asked, came], [["b", "a"], [[...stored].reverse()], ["b 1", "a 0"]]);
  const bare = { ...file, names: ["a", "module.b"] };
  assert.equal(withoutWrappers(bare), bare, "not all names have it");
});

test("a tensor of a type that cannot be read says where it is and what it is, to who asks for its numbers", () => {
  const tensor = new UnreadableTensor("x.pth: blocks.0.w", [2, 3], "F8_E4M3");
  assert.deepEqual([tensor.shape, tensor.problem], [[2, 3], "a type that cannot be read: F8_E4M3"]);
  const said = "x.pth: blocks.0.w: a type that cannot be read: F8_E4M3";
  assert.throws(() => tensor.data, { code: "bad-file", message: said });
});

test("of MoCo's three networks the first is taken", () => {
  const names = ["module.base_encoder.a", "module.momentum_encoder.a", "module.predictor.0.weight"];
  const { names: plain, leftOut } = unwrap(names);
  assert.deepEqual([...plain], [["a", names[0]]]);
  assert.deepEqual(leftOut, names.slice(1));
});

test("the only dict of tensors is found within three dicts, and no deeper", async () => {
  const within = (names: string[]): number[] =>
    names.reduceRight((inner, name) => dict({ [name]: inner }), dict({ w: tensor() }));
  assert.deepEqual(await stateOf({ a: within([]) }), [["w"], "a", []]);
  assert.deepEqual(await stateOf({ a: within(["b"]) }), [["w"], "a.b", []]);
  assert.deepEqual(await stateOf({ a: within(["b", "c"]) }), [["w"], "a.b.c", []]);
  await assertRejects(() => stateOf({ a: within(["b", "c", "d"]) }), "key-mismatch", "no tensors");
});
