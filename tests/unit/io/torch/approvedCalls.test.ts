import { test } from "node:test";
import { bytesPerElement } from "../../../../src/io/bytes";
import { addNumpy, NumpyArray, placeArrays } from "../../../../src/io/torch/numpyArrays";
import { PickleObject, PlainRecord, unpickle } from "../../../../src/io/torch/pickle";
import { PickleInput } from "../../../../src/io/torch/pickleInput";
import { fillMap, opcodeHandlers, STOP } from "../../../../src/io/torch/pickleOpcodes";
import { toPlainValue } from "../../../../src/io/torch/plainValue";
import { elementBytes, isStoredDtype, storageDtypes, torchDtype } from "../../../../src/io/torch/torchDtypes";
import { torchGlobals } from "../../../../src/io/torch/torchGlobals";
import { findTorchState } from "../../../../src/io/torch/torchStates";
import {
  asList,
  foreignTensor,
  isCountList,
  parseStorageId,
  rebuildTensor,
  TensorRef,
} from "../../../../src/io/torch/torchTensors";
import { Calls } from "../../../support/calls";
import { dict, global, integer, op, put, text, tuple } from "../torchWriter";

test("types of torch by name are approved", async () => {
  const calls = new Calls();
  calls.note("storages", storageDtypes);
  const names = [
    "float64",
    "double",
    "float32",
    "float",
    "float16",
    "half",
    "bfloat16",
    "int64",
    "long",
    "int32",
    "int",
    "int16",
    "short",
    "int8",
    "uint8",
    "bool",
    "cfloat",
    "cdouble",
    "chalf",
    "complex64",
    "float8_e4m3fn",
    "float4_e2m1fn_x2",
    "uint16",
    "uint1",
    "quint4x2",
    "qint32",
    "bits8",
    "bit1",
    "bits1x8",
    "float",
    "Float32",
    "int8x",
    "int",
    "int_8",
    "manual_seed",
    "Tensor",
    "constructor",
    "toString",
    "",
    "xint8",
  ];
  for (const name of names) await calls.of(torchDtype, name);
  for (const name of [
    ...Object.keys(bytesPerElement),
    ...Object.values(storageDtypes),
    "complex32",
    "uint16",
    "uint32",
    "uint64",
    "float8_e5m2",
    "float8",
    "float8_",
    "constructor",
    "f32",
  ])
    await calls.does(name, () => [isStoredDtype(name), elementBytes(name)]);
  calls.note("opcodes", [...opcodeHandlers.keys()].map((code) => code.toString(16)).join(" "));
  calls.note("stop", STOP);
  await calls.of(fillMap, new Map<unknown, unknown>([["a", 1]]), ["a", 2, "b", 3, "c"]);
  const globals = torchGlobals("x");
  calls.note(
    "globals",
    [...globals.values()]
      .map(({ name, construct }) => `${name}${construct ? "()" : ""}`)
      .sort()
      .join("\n")
      .split("\n")
      .map((line) => line.replace(" ", ".")),
  );
  for (const name of [
    "torch float32",
    "torch nothing",
    "torch.float32",
    "os system",
    "torch float8_e4m3fn",
    "torch load",
    "numpy.core.multiarray _reconstruct",
  ])
    await calls.does(`global ${name}`, () => {
      const found = globals.get(name) as { name: string; torchDtype?: string } | undefined;
      return found && [found.name, found.torchDtype];
    });
  await calls.does("sorted globals", () => [...globals.keys()].length);
  calls.approve("io/torch/types");
});

const tell = (value: unknown): unknown =>
  value instanceof TensorRef
    ? `tensor ${value.dtype} [${value.shape}] steps [${value.strides}] from ${value.offset} of ${value.storage.key} (${value.storage.dtype}, ${value.storage.elements}, from ${value.storage.windowStart}${value.storage.bytes ? `, ${[...value.storage.bytes]}` : ""}) size ${value.size} span ${value.span}`
    : value;

test("what globals make of their arguments is approved", async () => {
  const calls = new Calls();
  const globals = torchGlobals("x");
  let work = 0;
  const make = (name: string, ...args: unknown[]) =>
    calls.does(
      `${name.replace(" ", ".")}(${args.map((arg) => (arg instanceof TensorRef ? "tensor" : JSON.stringify(arg))).join(", ")})`,
      () => {
        work = 0;
        const made = globals.get(name)!.construct!(args, (more) => {
          work += more;
        });
        return work > 0 ? [tell(made), `work ${work}`] : tell(made);
      },
    );
  const storage = (dtype: string | undefined, elements = 24) => ({
    key: "k",
    dtype,
    elements,
    windowStart: 0,
  });
  const tensor = foreignTensor("kind");
  await make("torch._utils _rebuild_tensor", storage("F32"), 1, [2, 3], [3, 1]);
  await make("torch._utils _rebuild_tensor_v2", storage("F32"), 18, [2, 3], [3, 1], false, []);
  await make("torch._utils _rebuild_tensor_v2", storage("F32"), 19, [2, 3], [3, 1], false, []);
  await make(
    "torch._utils _rebuild_tensor_v3",
    storage(undefined),
    0,
    [6],
    [1],
    false,
    [],
    { torchDtype: "F32" },
    {},
  );
  await make(
    "torch._utils _rebuild_tensor_v3",
    storage(undefined),
    0,
    [7],
    [1],
    false,
    [],
    { torchDtype: "F32" },
    {},
  );
  await make("torch._utils _rebuild_tensor_v3", storage(undefined), 0, [6], [1], false, []);
  for (const name of [
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_parameter_with_state",
    "torch.nn.parameter Parameter",
  ]) {
    await make(name, tensor, true);
    await make(name, [1]);
    await make(name);
  }
  await make("torch._tensor _rebuild_from_type_v2", null, null, [storage("F16"), 0, [24], [1]], {});
  await make("torch._tensor _rebuild_from_type_v2", null, null, 3);
  for (const args of [[[2, 3]], [3], []]) await make("torch Size", ...args);
  await make("torch device", "cuda", 1);
  await make("torch._utils _rebuild_qtensor", storage("qint8"), 0, [2], [1]);
  for (const kind of ["sparse", "sparse_csr", "nested"]) await make(`torch._utils _rebuild_${kind}_tensor`);
  await make("torch._utils _rebuild_meta_tensor_no_storage");
  await make("torch._utils _rebuild_wrapper_subclass");
  await make("torch.serialization _get_layout", "torch.strided");
  for (const name of ["collections OrderedDict", "_collections Counter"])
    for (const args of [
      [],
      [
        [
          ["a", 1],
          ["b", 2],
          ["a", 3],
        ],
      ],
      [new Map([["a", 1]])],
      [3],
      [[3]],
      [null],
    ])
      await make(name, ...args);
  await make("collections defaultdict", 3);
  for (const args of [[[1, 2, 1]], [], [null], [3]]) await make("builtins set", ...args);
  await make("argparse Namespace");
  await make("mmengine.logging.history_buffer HistoryBuffer");
  calls.title("storages");
  const id = (...parts: unknown[]) => calls.does(JSON.stringify(parts), () => parseStorageId("x", parts));
  const F32 = { storage: "F32" };
  await id("storage", F32, "0", "cpu", 6);
  await id("storage", { storage: "untyped" }, "0", "cuda:0", 24, null);
  await id("storage", F32, "0", "cpu", 6, ["1", 2, 4]);
  await id("storage", F32, "0", "cpu", 6, ["1", 2, 5]);
  await id("storage", F32, "0", "cpu", 6, ["1", -1, 2]);
  await id("storage", F32, "0", "cpu", 6, 3);
  for (const elements of [0, -1, 1.5, "6", undefined]) await id("storage", F32, "0", "cpu", elements);
  for (const type of [null, undefined, {}, { storage: 3 }, "F32"]) await id("storage", type, "0", "cpu", 6);
  await id("storage", F32, 0, "cpu", 6);
  await id("module", F32, "0", "cpu", 6);
  await calls.does("no list", () => parseStorageId("x", "storage"));
  calls.title("tensors");
  const build = (name: string, args: unknown[], extras: object = {}) =>
    calls.does(`${name} ${JSON.stringify(args.slice(1))}`, () => {
      const made = rebuildTensor("x", args, extras);
      return [tell(made), made.isReadable];
    });
  for (const [offset, shape, strides] of [
    [0, [], []],
    [23, [], []],
    [24, [], []],
    [0, [4, 6], [6, 1]],
    [0, [6, 4], [1, 6]],
    [0, [1000], [0]],
    [0, [0, 5], [1, 1]],
    [99, [0], [1]],
    [0, [25], [1]],
    [0, [2], [23]],
    [0, [2], [24]],
    [-1, [2], [1]],
    [0, [2], []],
    [0, [-2], [1]],
    [0, [2], [-1]],
    [0, [1.5], [1]],
    [0, "2", [1]],
    [0.5, [1], [1]],
    [0, new Array(64).fill(1), new Array(64).fill(1)],
    [0, new Array(65).fill(1), new Array(65).fill(1)],
  ])
    await build("F32", [storage("F32"), offset, shape, strides]);
  await build("no storage", [null, 0, [1], [1]]);
  await build("no storage", [{}, 0, [1], [1]]);
  await build("complex", [storage("complex64"), 0, [2], [1]]);
  for (const metadata of [{ neg: true }, { conj: true }, { neg: false }, {}])
    await build(`with ${JSON.stringify(metadata)}`, [storage("F32"), 0, [2], [1]], {
      metadata: new Map(Object.entries(metadata)),
    });
  await build("kind", [storage("F32"), 0, [2], [1]], { kind: "a kind", metadata: new Map([["neg", true]]) });
  for (const bytes of [11, 12])
    await build(`${bytes} untyped bytes`, [storage(undefined, bytes), 0, [3], [1]], {
      type: { torchDtype: "F32" },
    });
  // Offset, lengths and steps count elements, the storage bytes: 24 of them hold six float32 or twelve halves.
  for (const [torchDtype, last] of [
    ["F32", 5],
    ["F16", 11],
    ["I64", 2],
    ["U8", 23],
    ["complex64", 2],
  ] as const)
    for (const [offset, shape, strides] of [
      [last, [1], [1]],
      [last + 1, [1], [1]],
      [last - 1, [2], [1]],
      [last - 1, [2], [2]],
      [0, [2], [last]],
      [1, [2], [last]],
      [last, [], []],
      [last + 1, [], []],
    ])
      await build(`${torchDtype} in 24 bytes`, [storage(undefined, 24), offset, shape, strides], {
        type: { torchDtype },
      });
  await build("untyped of unknown width", [storage(undefined, 1), 0, [99], [1]], {
    type: { torchDtype: "quint4x2" },
  });
  for (const value of [[], [1], [0], [-1], [1.5], "1", null, new Array(65).fill(1)])
    await calls.of(isCountList, value);
  for (const value of [[], [1], null, "x"]) await calls.of(asList, "x", value);
  calls.approve("io/torch/globals");
});

test("pickles, program by program, are approved", async () => {
  const calls = new Calls();
  class Filled extends PickleObject {
    state: unknown;
    setState(state: unknown): void {
      this.state = state;
    }
  }
  const globals = new Map([
    [
      "m f",
      {
        name: "m f",
        construct: (args: readonly unknown[], charge: (work: number) => void) => {
          charge(args.length * 500);
          return ["called", ...args];
        },
      },
    ],
    ["m none", { name: "m none" }],
    ["m record", { name: "m record", construct: () => new PlainRecord("m.Record") }],
    ["m filled", { name: "m filled", construct: () => new Filled() }],
  ]);
  const run = (name: string, program: readonly number[], persistent = true) =>
    calls.does(name, () =>
      unpickle(new PickleInput("x", Uint8Array.from(program)), {
        source: "x",
        globals,
        ...(persistent && { persistentLoad: (id: unknown) => ["loaded", id] }),
      }),
    );
  const stop = [...op.stop];
  const call = (name: string, ...args: number[][]) => [...global("m", name), ...tuple(...args), ...op.reduce];
  await run("nothing", []);
  await run("stop", stop);
  await run("cut off", [0x4b]);
  for (const [name, code] of Object.entries({
    int: [0x4a, 0xfb, 255, 255, 255],
    int1: [0x4b, 200],
    int2: [0x4d, 1, 2],
    long0: [0x8a, 0],
    long1: [0x8a, 1, 0x80],
    long2: [0x8a, 2, 0, 0x80],
    long7: [0x8a, 7, 255, 255, 255, 255, 255, 255, 31],
    long7more: [0x8a, 7, 0, 0, 0, 0, 0, 0, 32],
    long9: [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    long4: [0x8b, 2, 0, 0, 0, 1, 1],
    long4huge: [0x8b, 1, 1, 0, 0],
    float: [0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
    shortstring: [0x55, 2, 104, 105],
    string: [0x54, 2, 0, 0, 0, 104, 105],
    unicode: [...text("漢 é")],
    short: [0x8c, 2, 0xc3, 0xa9],
    unicode8: [0x8d, 1, 0, 0, 0, 0, 0, 0, 0, 65],
    bytes: [0x42, 2, 0, 0, 0, 1, 2],
    shortbytes: [0x43, 2, 3, 4],
    bytes8: [0x8e, 1, 0, 0, 0, 0, 0, 0, 0, 9],
    bytearray: [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 9],
    none: [0x4e],
    true: [0x88],
    false: [0x89],
    list: [0x5d],
    dict: [0x7d],
    set: [0x8f],
    proto: [0x80, 5, 0x4e],
    frame: [0x95, 1, 2, 3, 4, 5, 6, 7, 8, 0x4e],
  }))
    await run(name, [...code, ...stop]);
  for (const opcode of [0x69, 0x6f, 0x82, 0x92, 0x50, 0x97, 0x00, 0xff])
    await run(`opcode ${opcode.toString(16)}`, [opcode, ...stop]);
  calls.title("containers");
  const [one, two] = [integer(1), integer(2)];
  await run("tuple", [...tuple(one, two), ...stop]);
  for (const [name, code] of [
    ["tuple1", 0x85],
    ["tuple2", 0x86],
    ["tuple3", 0x87],
  ] as const)
    await run(name, [...one, ...two, ...integer(3), code, ...stop]);
  await run("append", [0x5d, ...one, 0x61, ...two, 0x61, ...stop]);
  await run("appends", [0x5d, 0x28, ...one, ...two, 0x65, ...stop]);
  await run("append to a dict", [0x7d, ...one, 0x61, ...stop]);
  await run("a list of marked ones", [0x28, ...one, 0x6c, ...stop]);
  await run("a dict of marked ones", [0x28, ...one, ...two, ...integer(3), 0x64, ...stop]);
  await run("set item", [0x7d, ...text("k"), ...one, 0x73, ...stop]);
  await run("set items of a list", [0x5d, ...text("k"), ...one, 0x73, ...stop]);
  await run("dict", [...dict({ a: one, é: two }), ...stop]);
  await run("set", [0x8f, 0x28, ...one, ...one, ...two, 0x90, ...stop]);
  await run("add to a list", [0x5d, 0x28, ...one, 0x90, ...stop]);
  await run("frozen", [0x28, ...one, ...two, 0x91, ...stop]);
  await run("marks within marks", [0x28, ...one, 0x28, ...two, 0x74, 0x74, ...stop]);
  await run("marked ones thrown away", [...one, 0x28, ...two, 0x31, ...stop]);
  await run("pop and dup", [...one, ...two, 0x30, 0x32, 0x86, ...stop]);
  await run("memo", [
    0x28,
    ...one,
    ...put(5),
    ...two,
    0x94,
    0x68,
    5,
    0x68,
    1,
    0x6a,
    5,
    0,
    0,
    0,
    0x74,
    ...stop,
  ]);
  await run("recall of nothing", [0x68, 3, ...stop]);
  calls.title("calls");
  await run("f", [...call("f", one, text("é")), ...stop]);
  await run("f as an object", [...global("m", "f"), ...tuple(one), 0x81, ...stop]);
  await run("f by its names", [...text("m"), ...text("f"), 0x93, ...tuple(), ...op.reduce, ...stop]);
  await run("f by numbers", [...one, ...text("f"), 0x93, ...stop]);
  await run("unknown", [...global("os", "system"), ...stop]);
  await run("no function", [...one, ...tuple(), ...op.reduce, ...stop]);
  await run("no construction", [...call("none"), ...stop]);
  await run("no tuple", [...global("m", "f"), ...one, ...op.reduce, ...stop]);
  await run("too much work", [...call("f", one), ...call("f", one, one), ...stop]);
  await run("record", [...call("record"), ...dict({ lr: one, "": two }), ...op.build, ...stop]);
  await run("record of a list", [...call("record"), 0x5d, ...op.build, ...stop]);
  await run("filled", [...call("filled"), ...tuple(one, two), ...op.build, ...stop]);
  await run("state of a dict", [...dict({ a: one }), ...dict({ b: two }), ...op.build, ...stop]);
  await run("state of a list", [0x5d, ...dict({ b: two }), ...op.build, ...stop]);
  await run("persistent", [...text("id"), ...op.persistent, ...stop]);
  await run("persistent, without", [...text("id"), ...op.persistent, ...stop], false);
  await run("a line without an end", [0x63, 109, 10, 102]);
  calls.title("plain values");
  const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);
  const record = new PlainRecord("r");
  record.fields
    .set("a", 1)
    .set(2, new Map([["b", null]]))
    .set(["x"], 3)
    .set("__proto__", 4);
  for (const value of [
    1,
    "é",
    null,
    undefined,
    true,
    3n,
    [1, [2n]],
    new Set([1, 2]),
    new Map([["a", new Set([1])]]),
    record,
    new Uint8Array(3),
    foreignTensor("x"),
    new Map<unknown, unknown>([
      [1n, 2],
      [null, 3],
      [true, 4],
    ]),
  ])
    await calls.of(toPlainValue, value);
  for (const depth of [8, 9, 10]) await calls.does(`${depth} deep`, () => toPlainValue(deep(depth)));
  for (const length of [9998, 9999, 10000, 10001])
    await calls.does(`${length} long`, () => {
      const plain = toPlainValue(Array.from({ length }, (_, i) => i)) as unknown[];
      return [plain.length, plain.at(-2), plain.at(-1)];
    });
  await calls.does("long dicts", () => {
    const map = new Map(Array.from({ length: 6000 }, (_, i) => [i, i]));
    return Object.values(toPlainValue([map, map, map]) as object).map(
      (one) => Object.keys(one as object).length,
    );
  });
  calls.approve("io/torch/pickle");
});

test("numpy's arrays and dicts of tensors are approved", async () => {
  const calls = new Calls();
  type Construct = (args: readonly unknown[], charge: (work: number) => void) => unknown;
  const made = new Map<string, Construct | undefined>();
  addNumpy("x", (name, construct) => void made.set(name, construct));
  calls.note(
    "names",
    [...made].map(([name, construct]) => name + (construct ? "()" : "")),
  );
  const type = (code: unknown, ...state: unknown[]) => {
    const one = made.get("numpy dtype")!([code, false, true], () => {}) as PickleObject & {
      stored: unknown;
      name: string;
    };
    if (state.length > 0) one.setState(state);
    return one;
  };
  for (const code of [
    "f8",
    "f4",
    "f2",
    "i8",
    "i4",
    "i2",
    "i1",
    "u1",
    "b1",
    "u2",
    "c8",
    "V4",
    "M8",
    "O8",
    "x",
    "f",
    "4f",
    "",
    "f12345678901",
    3,
  ])
    await calls.does(`type ${code}`, () => {
      const one = type(code, 3, "<", null, null, null, -1, -1, 0);
      return [one.stored, one.name];
    });
  for (const state of [
    [3, "|"],
    [3, ">"],
    [3, "="],
    [3, "<", ["a"], null, null],
    [3, "<", null, ["x"], null],
    [3, "<", null, null, {}],
    [3, "<", null, null, null, 5],
    [3],
    [3, 1],
  ])
    for (const code of ["f4", "i1"])
      await calls.does(`${code} with ${JSON.stringify(state)}`, () => {
        const one = type(code, ...state);
        return [one.stored, one.name];
      });
  await calls.does("no state", () => type("f4").setState(3));
  const f4 = type("f4", 3, "<");
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i + 1);
  const array = (name: string, make: () => unknown) =>
    calls.does(name, () => tell((make() as NumpyArray).tensor));
  const filled = (...state: unknown[]) => {
    const one = made.get("numpy.core.multiarray _reconstruct")!([], () => {}) as NumpyArray;
    one.setState(state);
    return one;
  };
  await array("rows", () => filled(1, [2, 3], f4, false, bytes(24)));
  await array("columns", () => filled(1, [2, 3, 1], f4, true, bytes(24)));
  await array("empty", () => filled(1, [2, 0], f4, false, bytes(0)));
  await array("scalar", () => filled(1, [], f4, false, bytes(4)));
  for (const length of [23, 25])
    await array(`${length} bytes`, () => filled(1, [2, 3], f4, false, bytes(length)));
  await array("no bytes", () => filled(1, [2, 3], f4, false, "x"));
  await array("no shape", () => filled(1, [-2, 3], f4, false, bytes(24)));
  await array("no type", () => filled(1, [2, 3], "f4", false, bytes(24)));
  await array("big-endian", () => filled(1, [2, 3], type("f4", 3, ">"), false, bytes(24)));
  await array("structures", () => filled(1, [2], type("V8", 3, "|", null, ["a"], null), false, bytes(16)));
  await array("of numbers", () => made.get("numpy._core.multiarray scalar")!([f4, bytes(4)], () => {}));
  for (const order of ["C", "F", undefined])
    await array(`buffer ${order}`, () =>
      made.get("numpy._core.numeric _frombuffer")!([bytes(24), f4, [2, 3], order], () => {}),
    );
  for (const [letters, encoding] of [
    ["aÿ\0", "latin1"],
    ["ā", "latin1"],
    ["😀", "latin1"],
    ["a", "utf8"],
    [3, "latin1"],
    ["", "latin1"],
  ])
    await calls.does(`encode ${JSON.stringify(letters)} ${encoding}`, () => {
      let work = 0;
      return [
        made.get("_codecs encode")!([letters, encoding], (more) => {
          work += more;
        }),
        work,
      ];
    });
  await calls.does("placed", () => {
    const good = filled(1, [2], f4, false, bytes(8));
    const nest = (depth: number): Map<unknown, unknown> =>
      new Map<unknown, unknown>([["a", good], ...(depth > 1 ? [["in", nest(depth - 1)] as const] : [])]);
    const root = nest(8);
    root.set("itself", root).set("list", [good]).set("unfilled", new NumpyArray("x"));
    return [
      placeArrays(root),
      placeArrays(root),
      placeArrays(nest(3), 2),
      placeArrays([good]),
      placeArrays(good),
      tell(root.get("a")),
      root.get("list"),
    ];
  });
  calls.title("states");
  const t = foreignTensor("t");
  const tensors = (...names: string[]) => new Map<string, unknown>(names.map((name) => [name, t]));
  const state = (name: string, root: unknown, path?: string) =>
    calls.does(`${name}${path === undefined ? "" : ` at ${JSON.stringify(path)}`}`, () => {
      const { tensors, where, others } = findTorchState("x", root, path);
      return [[...tensors.keys()], where, others];
    });
  const usual = [
    "state_dict",
    "model",
    "model_state_dict",
    "module",
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "ema",
    "ema_model",
  ];
  for (let i = usual.length; i > 0; i--)
    await state(
      `from ${usual[i - 1]}`,
      new Map(
        usual
          .slice(i - 1)
          .reverse()
          .map((key) => [key, tensors(key)]),
      ),
    );
  await state("own", tensors("a", "b"));
  await state("own and a smaller dict", new Map([...tensors("a", "b"), ["d", tensors("x", "y")]]));
  await state("own and a larger dict", new Map([...tensors("a"), ["d", tensors("x", "y")]]));
  await state(
    "own and two dicts",
    new Map([...tensors("a"), ["d", tensors("x", "y")], ["e", tensors("x", "y")]]),
  );
  await state(
    "two dicts",
    new Map([
      ["d", tensors("x")],
      ["e", tensors("y")],
      ["n", new Map()],
    ]),
  );
  await state("deep", new Map([["a", new Map([["b", new Map([["c", tensors("x")]])]])]]));
  await state("deeper", new Map([["a", new Map([["b", new Map([["c", new Map([["d", tensors("x")]])]])]])]]));
  await state(
    "none",
    new Map<unknown, unknown>([
      ["epoch", 3],
      [4, 5],
    ]),
  );
  for (const root of [[t], t, null, new Map()]) await state("nothing", root);
  await state(
    "number as a key",
    new Map<unknown, unknown>([
      [0, tensors("x")],
      [1, t],
    ]),
  );
  const nested = new Map<string, unknown>([
    [
      "m",
      new Map<string, unknown>([
        ["module", tensors("a.x", "a.y", "b")],
        ["k", t],
      ]),
    ],
    ["s.t.u", t],
    ["s.v", t],
  ]);
  for (const path of ["m", "m.module", "m.module.a", "m.module.c", "s", "s.t", "s.t.u", "none", "", "m."])
    await state("nested", nested, path);
  calls.approve("io/torch/numpy");
});
