import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { HostTensor } from "../../../../src/core/hostTensor";
import { CountingSource, fileSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { readMaeCheckpoint } from "../../../../src/io/checkpoint/maeCheckpoint";
import { PlainRecord } from "../../../../src/io/torch/pickle";
import { openTorchFile } from "../../../../src/io/torch/torchFile";
import { TensorRef } from "../../../../src/io/torch/torchTensors";
import { assertRejects, goldenCases } from "../support";
import {
  dictPickle,
  get,
  global,
  integer,
  op,
  put,
  tensorOpcodes,
  text,
  torchZip,
  tuple,
  zip,
} from "../torchWriter";

const checkpoints = join(goldenCases, "checkpoints");
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const counting = (length: number) => floats(...Array.from({ length }, (_, i) => i));
const openBytes = (bytes: Uint8Array) => openTorchFile(memorySource("x.pth", bytes));

async function readOne(opcodes: readonly number[], storage: Uint8Array): Promise<HostTensor> {
  const file = await openBytes(torchZip(dictPickle({ w: opcodes }), { "0": storage }));
  return (await file.readTensors(file.state().tensors)).get("w")!;
}

test("views are gathered: transposed, offset, strided, expanded, scalar, empty", async () => {
  const read = async (shape: number[], strides: number[], offset = 0) => {
    const tensor = await readOne(
      tensorOpcodes("0", "FloatStorage", 12, shape, strides, offset),
      counting(12),
    );
    assert.deepEqual([...tensor.shape], shape);
    return [...tensor.data];
  };
  assert.deepEqual(await read([3, 4], [4, 1]), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual(await read([4, 3], [1, 4]), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  assert.deepEqual(await read([2, 2], [4, 1], 5), [5, 6, 9, 10]);
  assert.deepEqual(await read([2, 3], [6, 2]), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(await read([2, 3], [0, 1], 3), [3, 4, 5, 3, 4, 5]);
  assert.deepEqual(await read([2, 2, 2], [1, 0, 6]), [0, 6, 0, 6, 1, 7, 1, 7]);
  assert.deepEqual(await read([], [], 7), [7]);
  assert.deepEqual(await read([0, 4], [4, 1]), []);
});

/** The old container: magic number, version, system, object, keys; then each storage's length and bytes. */
function legacyFile(
  object: Uint8Array,
  keys: readonly string[],
  storages: readonly Uint8Array[],
): Uint8Array {
  const pickle = (...opcodes: (readonly number[])[]) =>
    Buffer.from([...op.proto, ...opcodes.flat(), ...op.stop]);
  const magic = Buffer.from("80028a0a6cfc9c46f9206aa850192e", "hex");
  const list = [...op.emptyList, ...keys.flatMap((key) => [...text(key), ...op.append])];
  const counted = storages.flatMap((bytes) => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(bytes.length / 4));
    return [count, bytes];
  });
  const heads = [magic, pickle(integer(1001)), pickle(op.emptyDict), object, pickle(list)];
  return Buffer.concat([...heads, ...counted]);
}

test("in the old container storages lie one behind the other, and a window of one begins at its element", async () => {
  const window = (start: number, length: number) => tuple(text("view"), integer(start), integer(length));
  const entries = {
    whole: tensorOpcodes("a", "FloatStorage", 5, [5], [1]),
    window: tensorOpcodes("b", "FloatStorage", 12, [3], [1], 0, [], window(4, 6)),
    within: tensorOpcodes("b", "FloatStorage", 12, [2, 2], [2, 1], 2, [], window(4, 6)),
  };
  const bytes = legacyFile(dictPickle(entries), ["b", "a"], [counting(12), floats(9, 8, 7, 6, 5)]);
  const file = await openBytes(bytes);
  const read = await file.readTensors(file.state().tensors);
  assert.deepEqual([...read.get("whole")!.data], [9, 8, 7, 6, 5]);
  assert.deepEqual([...read.get("window")!.data], [4, 5, 6]);
  assert.deepEqual([...read.get("within")!.data], [6, 7, 8, 9]);
  const outside = { w: tensorOpcodes("b", "FloatStorage", 12, [1], [1], 0, [], window(4, 9)) };
  await assertRejects(
    () => openBytes(legacyFile(dictPickle(outside), ["b"], [counting(12)])),
    "bad-file",
    "a window outside storage b",
  );
});

test("only the stretch of storage that a view needs is read", async () => {
  const pickle = dictPickle({ w: tensorOpcodes("0", "FloatStorage", 1000, [2, 3], [3, 1], 500) });
  const source = new CountingSource(memorySource("x.pth", torchZip(pickle, { "0": counting(1000) })));
  const file = await openTorchFile(source);
  const before = source.bytesRead;
  await file.readTensors(file.state().tensors);
  const localHeader = 30;
  assert.equal(source.bytesRead - before, localHeader + 6 * 4);
});

test("a view that reaches past its storage is refused", async () => {
  for (const [shape, strides, offset] of [
    [[13], [1], 0],
    [[4], [4], 0],
    [[2], [1], 11],
  ] as [number[], number[], number][]) {
    const opcodes = tensorOpcodes("0", "FloatStorage", 12, shape, strides, offset);
    await assertRejects(() => readOne(opcodes, counting(12)), "bad-file", "past the end of storage 0");
  }
});

test("a view whose sign is still to be turned is refused, and an empty note of such things is not", async () => {
  const view = (...note: number[]) =>
    tensorOpcodes("0", "FloatStorage", 12, [3], [2], 1, [[...op.emptyDict, ...note]]);
  const negated = view(...text("neg"), ...op.true, ...op.setItem);
  await assertRejects(() => readOne(negated, counting(12)), "bad-file", "resolve_neg()");
  assert.deepEqual([...(await readOne(view(), counting(12))).data], [1, 3, 5]);
});

test("expanding a number into more than the file justifies is refused", async () => {
  const opcodes = tensorOpcodes("0", "FloatStorage", 1, [2 ** 30, 2 ** 20], [0, 0]);
  await assertRejects(() => readOne(opcodes, counting(1)), "bad-file", "far more numbers");
});

test("a storage shorter than declared, or missing, is named", async () => {
  const opcodes = tensorOpcodes("0", "FloatStorage", 12, [12], [1]);
  await assertRejects(
    () => readOne(opcodes, counting(11)),
    "bad-file",
    "data/0: 48 bytes expected, 44 found",
  );
  await assertRejects(() => openBytes(torchZip(dictPickle({ w: opcodes }))), "bad-file", "data/0: missing");
});

test("ZIP64 archives and archive comments are read", async () => {
  const pickle = dictPickle({ w: tensorOpcodes("0", "FloatStorage", 3, [3], [1]) });
  for (const options of [{ zip64: true }, { comment: "a comment" }]) {
    const file = await openBytes(zip({ "m/data.pkl": pickle, "m/data/0": counting(3) }, options));
    assert.deepEqual([...(await file.readTensors(file.state().tensors)).get("w")!.data], [0, 1, 2]);
  }
});

test("compressed, encrypted, doubled and big-endian archives are refused with the reason", async () => {
  const pickle = dictPickle({});
  await assertRejects(
    () => openBytes(zip({ "m/data.pkl": pickle }, { method: 8 })),
    "bad-file",
    "compressed",
  );
  const program = { "m/data.pkl": pickle, "m/constants.pkl": pickle };
  await assertRejects(() => openBytes(zip(program)), "bad-file", "a TorchScript program", "state_dict()");
  await assertRejects(() => openBytes(zip({ "m/data.pkl": pickle }, { flags: 1 })), "bad-file", "encrypted");
  const big = { "m/data.pkl": pickle, "m/byteorder": Buffer.from("big") };
  await assertRejects(() => openBytes(zip(big)), "bad-file", "big-endian");
  await assertRejects(() => openBytes(zip({ "m/other": pickle })), "bad-file", "without data.pkl");
});

test("globals that are not on the list are refused by name, wherever they stand", async () => {
  const calls: [string, string][] = [
    ["os", "system"],
    ["builtins", "eval"],
    ["torch.storage", "_load_from_bytes"],
    ["torch.jit", "load"],
  ];
  for (const [module, name] of calls) {
    const call = [...global(module, name), ...tuple(text("true")), ...op.reduce];
    await assertRejects(
      () => openBytes(torchZip(dictPickle({ w: call }))),
      "refused-file",
      `${module}.${name}`,
    );
    await assertRejects(
      () => openBytes(torchZip(dictPickle({ w: global(module, name) }))),
      "refused-file",
      name,
    );
  }
});

test("calling what is only a type, and opcodes that make objects, are refused", async () => {
  const callType = [...global("torch", "FloatStorage"), ...op.emptyTuple, ...op.reduce];
  await assertRejects(
    () => openBytes(torchZip(dictPickle({ w: callType }))),
    "refused-file",
    "torch.FloatStorage",
  );
  const instance = [...op.mark, 0x69, ...Buffer.from("os\nsystem\n")];
  await assertRejects(() => openBytes(torchZip(dictPickle({ w: instance }))), "refused-file", "opcode 0x69");
  const callText = [...text("os.system"), ...op.emptyTuple, ...op.reduce];
  await assertRejects(() => openBytes(torchZip(dictPickle({ w: callText }))), "bad-file", "not a function");
});

test("a plain pickle, an empty file and other formats are no torch files", async () => {
  await assertRejects(() => openBytes(dictPickle({ a: integer(1) })), "bad-file", "not one of torch.save");
  await assertRejects(() => openBytes(new Uint8Array(0)), "bad-file", "empty");
  await assertRejects(() => openBytes(Buffer.from("hello")), "bad-file", "not a torch file");
});

test("structures that refer to themselves or nest deeply do no harm", async () => {
  const itself = [...op.emptyList, ...put(1), ...get(1), ...op.append];
  const file = await openBytes(torchZip(dictPickle({ w: itself })));
  await assertRejects(async () => file.state().tensors, "key-mismatch", "no tensors");
  const deep = Array.from({ length: 100_000 }, () => op.emptyList).flat();
  const nest = [...deep, ...Array.from({ length: 99_999 }, () => op.append).flat()];
  assert.ok((await openBytes(torchZip(dictPickle({ w: nest })))).root instanceof Map);
  const oddName = [...deep, ...Array.from({ length: 99_999 }, () => op.append).flat(), ...text("x"), 0x93];
  await assertRejects(() => openBytes(torchZip(dictPickle({ w: oddName }))), "bad-file", "no text");
});

test("copying one list again and again is stopped", async () => {
  const pair = tuple(text("a"), integer(1));
  const list = [
    ...op.emptyList,
    ...put(1),
    ...op.mark,
    ...Array.from({ length: 5000 }, () => pair).flat(),
    0x65,
  ];
  const ordered = global("collections", "OrderedDict");
  const copies = Array.from({ length: 5000 }, () => [
    ...get(2),
    ...get(1),
    ...op.tuple1,
    ...op.reduce,
    0x30,
  ]).flat();
  const pickle = dictPickle({ a: list, b: [...ordered, ...put(2), ...copies] });
  await assertRejects(() => openBytes(torchZip(pickle)), "bad-file", "more work");
});

test("an MAE training checkpoint yields weights, epoch and arguments", async () => {
  const { tensors, epoch, args } = await readMaeCheckpoint(join(checkpoints, "mae", "checkpoint-7.pth"));
  assert.ok(tensors.has("blocks.0.attn.qkv.weight") && tensors.has("decoder_pred.bias"));
  assert.equal(epoch, 7);
  assert.equal(typeof args?.blr, "number");
  assert.doesNotThrow(() => JSON.stringify(args));
});

test("tensors nested anywhere in a checkpoint can be reached", async () => {
  const file = await openTorchFile(await fileSource(join(checkpoints, "mae", "checkpoint-7.pth")));
  const root = file.root as Map<string, unknown>;
  assert.ok(root.get("args") instanceof PlainRecord);
  const optimizer = root.get("optimizer") as Map<string, Map<number, Map<string, unknown>>>;
  const moment = [...optimizer.get("state")!.values()][0].get("exp_avg");
  assert.ok(moment instanceof TensorRef);
  const read = await file.readTensors(new Map([["moment", moment]]));
  assert.equal(read.get("moment")!.data.length, moment.size);
  assert.ok(file.state("model").tensors.size > 0);
  await assertRejects(
    async () => file.state("nothing.here").tensors,
    "key-mismatch",
    'under "nothing.here"',
    "  model",
  );
  await file.close();
});

test("reading a good file works right after refusing a hostile one", async () => {
  const open = async (name: string) => openTorchFile(await fileSource(join(checkpoints, name)));
  await assertRejects(() => open("damaged/evil_pickle_zip.pth"), "refused-file", "posix.system");
  await assertRejects(() => open("damaged/evil_pickle_legacy.pth"), "refused-file", "posix.system");
  assert.ok((await open("layouts/views.pth")).state().tensors.has("transposed"));
});
