import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { PlainRecord } from "../../../../src/io/torch/pickle";
import { openTorchFile } from "../../../../src/io/torch/torchFile";
import { fuzz, insertOpcodes, type Load, start, timeout } from "../fuzz";
import { assertRejects } from "../support";
import { dict, dictPickle, global, integer, op, text, torchZip, tuple } from "../torchWriter";

const bytesOp = (bytes: Uint8Array) => [
  0x42,
  ...new Uint8Array(Uint32Array.of(bytes.length).buffer),
  ...bytes,
];
const latin1 = (bytes: Uint8Array) => [
  ...global("_codecs", "encode"),
  ...tuple(text(Buffer.from(bytes).toString("latin1")), text("latin1")),
  ...op.reduce,
];
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** A numpy.dtype as it pickles itself. */
const dtype = (code: string, order = "<") => [
  ...global("numpy", "dtype"),
  ...tuple(text(code), [...op.false], [...op.true]),
  ...op.reduce,
  ...tuple(
    integer(3),
    text(order),
    [...op.none],
    [...op.none],
    [...op.none],
    integer(-1),
    integer(-1),
    integer(0),
  ),
  ...op.build,
];

/** A numpy array as protocols 2 to 4 have it. */
function array(
  data: readonly number[],
  shape: readonly number[],
  { type = dtype("f4"), fortran = false, core = "numpy.core" } = {},
): number[] {
  const call = tuple(global("numpy", "ndarray"), tuple(integer(0)), bytesOp(Buffer.from("b")));
  const state = [
    integer(1),
    tuple(...shape.map(integer)),
    type,
    fortran ? [...op.true] : [...op.false],
    data,
  ];
  return [
    ...global(`${core}.multiarray`, "_reconstruct"),
    ...call,
    ...op.reduce,
    ...tuple(...state),
    ...op.build,
  ];
}

/** The same as protocol 5 has it. */
const buffer = (data: readonly number[], shape: readonly number[], order: "C" | "F") => [
  ...global("numpy._core.numeric", "_frombuffer"),
  ...tuple(data, dtype("f4"), tuple(...shape.map(integer)), text(order)),
  ...op.reduce,
];

const open = (bytes: Uint8Array) => openTorchFile(memorySource("zoo.pkl", bytes));
const load: Load = async (source) => {
  const file = await openTorchFile(source);
  return file.readTensors(file.state().tensors);
};

const zoo = dictPickle({
  model: dict({
    rows: array(bytesOp(floats(1, 2, 3, 4, 5, 6)), [2, 3]),
    columns: array(bytesOp(floats(1, 2, 3, 4, 5, 6)), [2, 3], { fortran: true, core: "numpy._core" }),
    text: array(latin1(floats(-1.5, 250)), [2]),
    buffer: buffer(bytesOp(floats(7, 8, 9, 10)), [2, 2], "F"),
    whole: array(bytesOp(new Uint8Array(BigInt64Array.of(3n, -4n).buffer)), [2], { type: dtype("i8") }),
    none: array(bytesOp(new Uint8Array(0)), [0, 4]),
  }),
  __author__: text("ViTDet"),
  matching_heuristics: [...op.true],
});

test("the arrays of a model zoo's pickle are read, in rows whatever their order was", async () => {
  const file = await open(zoo);
  const { tensors, where } = file.state();
  assert.equal(where, "model");
  const found = await file.readTensors(tensors);
  const data = Object.fromEntries([...found].map(([name, { data }]) => [name, [...data]]));
  assert.deepEqual(data, {
    rows: [1, 2, 3, 4, 5, 6],
    columns: [1, 3, 5, 2, 4, 6],
    text: [-1.5, 250],
    buffer: [7, 9, 8, 10],
    whole: [3, -4],
    none: [],
  });
  assert.deepEqual(found.get("columns")!.shape, [2, 3]);
});

test("types that are not read are named when they are asked for, and harm nobody else", async () => {
  const file = await open(
    dictPickle({
      good: array(bytesOp(floats(1)), [1]),
      swapped: array(bytesOp(floats(1)), [1], { type: dtype("f4", ">") }),
      complex: array(bytesOp(floats(1, 2)), [1], { type: dtype("c8") }),
    }),
  );
  const { tensors } = file.state();
  const good = await file.readTensors(new Map([["good", tensors.get("good")!]]));
  assert.deepEqual([...good.get("good")!.data], [1]);
  await assertRejects(() => file.readTensors(tensors), "bad-file", "swapped: a numpy array of big-endian f4");
  await assertRejects(() => file.readTensors(tensors), "bad-file", "complex: a numpy array of c8");
});

test("arrays whose bytes do not fit their shape, and calls of anything else, are refused", async () => {
  const refused = (value: number[]) => () => open(dictPickle({ w: value }));
  await assertRejects(refused(array(bytesOp(floats(1, 2)), [3])), "bad-file", "[3] of F32 with 8 bytes");
  await assertRejects(refused(array(text("abcd"), [1])), "bad-file", "no bytes");
  await assertRejects(refused(array(bytesOp(floats(1)), [2 ** 30, 2 ** 30, 2 ** 30])), "bad-file", "4 bytes");
  await assertRejects(
    refused(array(bytesOp(floats(1)), [1], { type: text("f4") })),
    "bad-file",
    "impossible",
  );
  for (const [module, name] of [
    ["numpy", "load"],
    ["numpy.core.multiarray", "frombuffer"],
    ["builtins", "eval"],
    ["builtins", "getattr"],
  ]) {
    const call = [...global(module, name), ...tuple(text("x")), ...op.reduce];
    await assertRejects(refused(call), "refused-file", `${module}.${name}`);
  }
  const other = [...global("_codecs", "encode"), ...tuple(text("x"), text("rot13")), ...op.reduce];
  await assertRejects(refused(other), "bad-file", "no text");
  await assertRejects(() => open(Buffer.concat([zoo, Buffer.from([0])])), "bad-file", "1 bytes behind");
});

test("the log that mmengine keeps beside its weights is plain data", async () => {
  const history = [
    ...global("mmengine.logging.history_buffer", "HistoryBuffer"),
    ...op.emptyTuple,
    ...op.newObject,
    ...dict({ _log_history: array(bytesOp(floats(0.5)), [1]) }),
    ...op.build,
  ];
  const pickle = dictPickle({
    message_hub: dict({ log_scalars: dict({ "train/loss": history }) }),
    state_dict: dict({ w: array(bytesOp(floats(2)), [1]) }),
  });
  const file = await open(torchZip(pickle));
  const hub = (file.root as Map<string, Map<string, Map<string, unknown>>>).get("message_hub")!;
  assert.ok(hub.get("log_scalars")!.get("train/loss") instanceof PlainRecord);
  assert.deepEqual([...(await file.readTensors(file.state().tensors)).get("w")!.data], [2]);
});

test("mutated pickles of arrays load or are refused by LuvitError", { timeout }, () =>
  fuzz("pkl", [{ ...start(zoo, zoo.length), fieldChange: insertOpcodes }, start(zoo, zoo.length)], load),
);

test("numbers of one byte have no order of bytes; larger ones the other way round are named as such", async () => {
  const bytes = bytesOp(Uint8Array.of(1, 255));
  const read = async (type: number[]) => {
    const file = await open(dictPickle({ w: array(bytes, [2], { type }) }));
    return [...(await file.readTensors(file.state().tensors)).get("w")!.data];
  };
  for (const order of ["<", ">", "|", "="]) {
    assert.deepEqual(await read(dtype("u1", order)), [1, 255], order);
    assert.deepEqual(await read(dtype("i1", order)), [1, -1], order);
    assert.deepEqual(await read(dtype("b1", order)), [1, 1], order);
  }
  const half = bytesOp(Uint8Array.of(0, 0x3c));
  const swapped = async () => {
    const file = await open(dictPickle({ w: array(half, [1], { type: dtype("f2", ">") }) }));
    return file.readTensors(file.state().tensors);
  };
  await assertRejects(swapped, "bad-file", "w: a numpy array of big-endian f2");
});
