import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { openTorchFile } from "../../../../src/io/torch/torchFile";
import { torchGlobals } from "../../../../src/io/torch/torchGlobals";
import { parseStorageId, rebuildTensor } from "../../../../src/io/torch/torchTensors";
import { assertRejects } from "../support";
import { dictPickle, global, op, tensorOpcodes, text, torchZip, tuple } from "../torchWriter";

test("what a call copies is charged by its length", () => {
  const globals = torchGlobals("x.pth");
  const charged = (name: string, items: unknown) => {
    let sum = 0;
    globals.get(name)!.construct!([items], (work) => {
      sum += work;
    });
    return sum;
  };
  const pairs = [
    ["a", 1],
    ["b", 2],
  ];
  for (const name of ["collections OrderedDict", "_collections OrderedDict", "collections Counter"])
    assert.equal(charged(name, pairs), 2, name);
  assert.equal(charged("collections OrderedDict", new Map([[1, 2]])), 1);
  for (const name of ["builtins set", "__builtin__ set"]) assert.equal(charged(name, [1, 2, 3]), 3, name);
});

test("a storage's window lies inside the storage, a tensor inside its window", () => {
  const kind = { storage: "F32" };
  const window = (start: number, length: number) =>
    parseStorageId("x.pth", ["storage", kind, "0", "cpu", 10, ["0", start, length]]);
  const { windowStart, elements } = window(4, 6);
  assert.deepEqual([windowStart, elements], [4, 6]);
  for (const [start, length] of [
    [5, 6],
    [0, 11],
    [11, 0],
    [-1, 2],
    [0, 0.5],
  ])
    assert.throws(() => window(start, length), /a window outside storage 0/, `${start}, ${length}`);
  const tensor = (offset: number, shape: number[], strides: number[]) =>
    rebuildTensor("x.pth", [window(4, 6), offset, shape, strides], {});
  assert.equal(tensor(2, [2, 2], [2, 1]).span, 4);
  for (const [offset, shape, strides] of [
    [3, [2, 2], [2, 1]],
    [0, [7], [1]],
    [0, [2], [6]],
  ] as const)
    assert.throws(() => tensor(offset, [...shape], [...strides]), /reaches past the end of storage 0/);
});

test("a storage may be shared by as many tensors as fill the file sixteen times over, and no more", async () => {
  const [elements, bytes] = [5000, new Uint8Array(20_000)];
  const shared = (count: number) => {
    const whole = tensorOpcodes("0", "FloatStorage", elements, [elements], [1]);
    const names = Array.from({ length: count }, (_, i) => [`t${i}`, whole] as const);
    return openTorchFile(
      memorySource("x.pth", torchZip(dictPickle(Object.fromEntries(names)), { 0: bytes })),
    );
  };
  for (const count of [5, 60]) {
    const file = await shared(count);
    const { tensors } = file.state();
    assert.equal((await file.readTensors(tensors)).size, count);
  }
  const file = await shared(200);
  const { tensors } = file.state();
  await assertRejects(
    () => file.readTensors(tensors),
    "bad-file",
    "far more numbers than the file has bytes",
  );
  const few = new Map([...tensors].slice(0, 60));
  assert.equal((await file.readTensors(few)).size, 60, "those that are asked for count");
});

/** Names whose calls do something; each is a decision. */
const callable = [
  ...["Counter", "OrderedDict", "defaultdict"].flatMap((name) => [
    `_collections ${name}`,
    `collections ${name}`,
  ]),
  ...["__builtin__ set", "argparse Namespace", "builtins set", "torch Size", "torch device"],
  "torch._tensor _rebuild_from_type_v2",
  ...[
    "meta_tensor_no_storage",
    "nested_tensor",
    "parameter",
    "parameter_with_state",
    "qtensor",
    "sparse_csr_tensor",
  ].map((name) => `torch._utils _rebuild_${name}`),
  ...["sparse_tensor", "tensor", "tensor_v2", "tensor_v3", "wrapper_subclass"].map(
    (name) => `torch._utils _rebuild_${name}`,
  ),
  "torch.nn.parameter Parameter",
  "torch.serialization _get_layout",
  "_codecs encode",
  "mmengine.logging.history_buffer HistoryBuffer",
  "numpy dtype",
  ...["numpy.core", "numpy._core"].flatMap((core) => [
    `${core}.multiarray _reconstruct`,
    `${core}.multiarray scalar`,
    `${core}.numeric _frombuffer`,
  ]),
];

test("what a torch pickle may call is this list and nothing else", () => {
  const globals = torchGlobals("x.pth");
  const found = [...globals.values()].filter(({ construct }) => construct).map(({ name }) => name);
  assert.deepEqual(found.sort(), callable.sort());
});

const hostile = [
  ...[
    "eval",
    "exec",
    "getattr",
    "setattr",
    "__import__",
    "open",
    "compile",
    "globals",
    "vars",
    "map",
    "apply",
  ].flatMap((name) => [`builtins ${name}`, `__builtin__ ${name}`]),
  ...["os system", "posix system", "nt system", "subprocess Popen", "sys exit", "pty spawn", "shutil rmtree"],
  ...[
    "operator attrgetter",
    "operator methodcaller",
    "functools partial",
    "importlib import_module",
    "pickle loads",
  ],
  ...[
    "torch load",
    "torch.hub load",
    "torch.jit load",
    "torch.storage _load_from_bytes",
    "torch.package PackageImporter",
  ],
  ...[
    "torch._utils _rebuild_device_tensor_from_numpy",
    "numpy.core.multiarray fromfile",
    "numpy load",
    "numpy._core.records fromfile",
  ],
  ...[
    "_codecs decode",
    "types FunctionType",
    "copyreg _reconstructor",
    "runpy run_path",
    "ctypes CDLL",
    "code interact",
  ],
  ...[
    "torch._utils getattr",
    "torch.nn.modules.linear Linear",
    "__main__ Model",
    "torch _C",
    "torch __builtins__",
  ],
];

for (const name of hostile) {
  test(`a pickle that names ${name} is refused by name, called or not`, async () => {
    const [module, attribute] = name.split(" ");
    const named = global(module, attribute);
    const called = [...named, ...tuple(text("id")), ...op.reduce];
    const stacked = [...text(module), ...text(attribute), 0x93, ...tuple(text("id")), ...op.reduce];
    for (const opcodes of [named, called, stacked, [...named, ...tuple(text("id")), ...op.newObject]]) {
      const file = torchZip(dictPickle({ x: opcodes }));
      const said = `${module}.${attribute}`;
      await assertRejects(() => openTorchFile(memorySource("x.pth", file)), "refused-file", said);
    }
  });
}
