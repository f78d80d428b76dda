import { LuvitError } from "../core/errors";
import type { StoredDtype } from "../core/hostTensor";
import { bytesPerElement } from "./floats";
import { type PickleGlobal, PlainRecord } from "./pickle";

/** A storage a tensor of a torch file looks into. */
export interface StorageRef {
  readonly key: string;
  /** Undefined for untyped storages, whose `elements` are bytes. */
  readonly dtype: StoredDtype | undefined;
  readonly elements: number;
  /** For the old container, where a storage may be a window of another: its first element there. */
  readonly windowStart: number;
}

/** A tensor of a torch file before its numbers are read: a strided window of a storage. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly dtype: StoredDtype,
    /** First element, counted in the storage. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** Elements to step per axis; 0 for expanded axes. */
    readonly strides: readonly number[],
  ) {}

  /** Number of elements the tensor presents (more than it stores when expanded). */
  get size(): number {
    return this.shape.includes(0) ? 0 : this.shape.reduce((product, length) => product * length, 1);
  }

  /** Length of the stretch of storage from its first to its last element. */
  get span(): number {
    if (this.size === 0) return 0;
    return 1 + this.shape.reduce((reach, length, axis) => reach + (length - 1) * this.strides[axis], 0);
  }
}

/** torch allows no more axes. */
const MOST_AXES = 64;

const storageDtypes: Readonly<Record<string, StoredDtype>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const torchDtypes: Readonly<Record<string, StoredDtype>> = {
  float64: "F64",
  double: "F64",
  float32: "F32",
  float: "F32",
  float16: "F16",
  half: "F16",
  bfloat16: "BF16",
  int64: "I64",
  long: "I64",
  int32: "I32",
  int: "I32",
  int16: "I16",
  short: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

/** A storage class named in a pickle. */
interface StorageGlobal extends PickleGlobal {
  readonly storage: StoredDtype | "untyped";
}

/** A torch.dtype named in a pickle. */
interface DtypeGlobal extends PickleGlobal {
  readonly torchDtype: StoredDtype;
}

type Charge = (work: number) => void;

/**
 * Everything a torch pickle may refer to, as "module name". Rebuilding a tensor only notes where it lies.
 * Reference: torch/_weights_only_unpickler.py, torch/_utils.py.
 */
export function torchGlobals(source: string): Map<string, PickleGlobal> {
  const globals = new Map<string, PickleGlobal>();
  const add = (name: string, construct?: PickleGlobal["construct"]) => globals.set(name, { name, construct });
  const rebuild = (args: readonly unknown[]) => rebuildTensor(source, args, { metadata: args[6] });
  add("torch._utils _rebuild_tensor", rebuild);
  add("torch._utils _rebuild_tensor_v2", rebuild);
  add("torch._utils _rebuild_tensor_v3", (args) =>
    rebuildTensor(source, args, { type: args[6], metadata: args[7] }),
  );
  add("torch._utils _rebuild_parameter", ([data]) => requireTensor(source, data));
  add("torch._utils _rebuild_parameter_with_state", ([data]) => requireTensor(source, data));
  add("torch._tensor _rebuild_from_type_v2", ([, , args]) => rebuild(asList(source, args)));
  add("torch Tensor");
  add("torch.nn.parameter Parameter", ([data]) => requireTensor(source, data));
  add("torch Size", ([lengths]) => asList(source, lengths));
  add("torch device", ([kind]) => kind);
  for (const module of ["collections", "_collections"]) {
    add(`${module} OrderedDict`, (args, charge) => asMap(source, args[0] ?? [], charge));
    add(`${module} Counter`, (args, charge) => asMap(source, args[0] ?? [], charge));
    add(`${module} defaultdict`, () => new Map());
  }
  for (const module of ["builtins", "__builtin__"]) {
    for (const type of ["int", "float", "bool", "str", "dict", "list"]) add(`${module} ${type}`);
    add(`${module} set`, ([items], charge) => asSet(source, items, charge));
  }
  add("argparse Namespace", () => new PlainRecord("argparse.Namespace"));
  addTypes(globals);
  return globals;
}

function addTypes(globals: Map<string, PickleGlobal>): void {
  for (const [type, dtype] of Object.entries(storageDtypes)) {
    const name = `torch ${type}`;
    const storage: StorageGlobal = { name, storage: dtype };
    globals.set(name, storage);
  }
  for (const name of ["torch.storage UntypedStorage", "torch UntypedStorage"]) {
    const storage: StorageGlobal = { name, storage: "untyped" };
    globals.set(name, storage);
  }
  for (const [type, dtype] of Object.entries(torchDtypes)) {
    const name = `torch ${type}`;
    const global: DtypeGlobal = { name, torchDtype: dtype };
    globals.set(name, global);
  }
}

/**
 * A persistent id `("storage", class, key, device, elements[, (key, start, elements)])`.
 * Reference: torch/serialization.py `persistent_load`, legacy and zip.
 */
export function parseStorageId(source: string, id: unknown): StorageRef {
  if (!Array.isArray(id) || id[0] !== "storage") return fail(source, "a reference that is no storage");
  const [, type, key, , elements, window] = id;
  const kind = (type as Partial<StorageGlobal> | null)?.storage;
  if (typeof key !== "string" || kind === undefined || !isCount(elements)) {
    return fail(source, "a storage without type, name or length");
  }
  const dtype = kind === "untyped" ? undefined : kind;
  if (window === undefined || window === null) return { key, dtype, elements, windowStart: 0 };
  const [, windowStart, windowElements] = asList(source, window);
  if (!isCount(windowStart) || !isCount(windowElements) || windowStart + windowElements > elements) {
    return fail(source, `a window outside storage ${key}`);
  }
  return { key, dtype, elements: windowElements, windowStart };
}

/** What some versions of a tensor's call say beside storage, offset, shape and strides. */
interface TensorExtras {
  readonly type?: unknown;
  readonly metadata?: unknown;
}

function rebuildTensor(
  source: string,
  args: readonly unknown[],
  { type, metadata }: TensorExtras,
): TensorRef {
  const [storage, offset, shape, strides] = args;
  if (metadata instanceof Map && (metadata.get("neg") === true || metadata.get("conj") === true)) {
    throw new LuvitError(
      "bad-file",
      `${source}: a tensor is stored with its sign still to be turned (a view of complex numbers); write it again ` +
        "after resolve_neg() or resolve_conj()",
    );
  }
  if (!isStorage(storage)) return fail(source, "a tensor without a storage");
  const dtype = storage.dtype ?? (type as Partial<DtypeGlobal> | undefined)?.torchDtype;
  if (!dtype) return fail(source, `a tensor on storage ${storage.key} without an element type`);
  if (!isCount(offset) || !isCountList(shape) || !isCountList(strides) || shape.length !== strides.length) {
    return fail(source, `a tensor on storage ${storage.key} with impossible shape, strides or offset`);
  }
  const tensor = new TensorRef(storage, dtype, offset, shape.slice(), strides.slice());
  const width = storage.dtype ? 1 : bytesPerElement[dtype];
  if (tensor.size > 0 && (offset + tensor.span) * width > storage.elements) {
    return fail(source, `a tensor [${shape.join(", ")}] that reaches past the end of storage ${storage.key}`);
  }
  return tensor;
}

function isStorage(value: unknown): value is StorageRef {
  return typeof value === "object" && value !== null && "windowStart" in value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCountList(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MOST_AXES && value.every(isCount);
}

function requireTensor(source: string, value: unknown): TensorRef {
  return value instanceof TensorRef ? value : fail(source, "a parameter that is no tensor");
}

function asList(source: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : fail(source, "something else where a list belongs");
}

function asMap(source: string, items: unknown, charge: Charge): Map<unknown, unknown> {
  const pairs = items instanceof Map ? [...items] : asList(source, items);
  charge(pairs.length);
  const map = new Map<unknown, unknown>();
  for (const pair of pairs) {
    const [key, value] = asList(source, pair);
    map.set(key, value);
  }
  return map;
}

function asSet(source: string, items: unknown, charge: Charge): Set<unknown> {
  const list = asList(source, items ?? []);
  charge(list.length);
  return new Set(list);
}

function fail(source: string, problem: string): never {
  throw new LuvitError("bad-file", `${source}: damaged torch file: ${problem}`);
}
