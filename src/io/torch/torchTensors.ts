import { LuvitError } from "../../core/errors";
import { elementBytes, isStoredDtype } from "./torchDtypes";

/** A storage a tensor of a torch file looks into. */
export interface StorageRef {
  readonly key: string;
  /** A `StoredDtype` or torch's name of a type that is not read; undefined for untyped storages, whose `elements` are bytes. */
  readonly dtype: string | undefined;
  readonly elements: number;
  /** For the old container, where a storage may be a window of another: its first element there. */
  readonly windowStart: number;
  /** Of an array that lies in the pickle itself: its numbers. */
  readonly bytes?: Uint8Array;
}

/** A tensor of a torch file before its numbers are read: a strided window of a storage. */
export class TensorRef {
  readonly storage: StorageRef;
  /** A `StoredDtype`, or what it is that is not read: "complex64", "a sparse tensor". */
  readonly dtype: string;
  /** First element, counted in the storage. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements to step per axis; 0 for expanded axes. */
  readonly strides: readonly number[];

  constructor(parts: {
    storage: StorageRef;
    dtype: string;
    offset: number;
    shape: readonly number[];
    strides: readonly number[];
  }) {
    const { storage, dtype, offset, shape, strides } = parts;
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** Whether its numbers can be read. */
  get isReadable(): boolean {
    return isStoredDtype(this.dtype);
  }

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

/** A tensor of a kind that is known by name only; an error comes from reading it, not from its being there. */
export function foreignTensor(kind: string): TensorRef {
  return new TensorRef({
    storage: { key: "", dtype: undefined, elements: 0, windowStart: 0 },
    dtype: kind,
    offset: 0,
    shape: [],
    strides: [],
  });
}

/**
 * A persistent id `("storage", class, key, device, elements[, (key, start, elements)])`.
 * Reference: torch/serialization.py `persistent_load`, legacy and zip.
 */
export function parseStorageId(source: string, id: unknown): StorageRef {
  if (!Array.isArray(id) || id[0] !== "storage") return fail(source, "a reference that is no storage");
  const [, type, key, , elements, window] = id;
  const kind = (type as { storage?: unknown } | null)?.storage;
  if (typeof key !== "string" || typeof kind !== "string" || !isCount(elements)) {
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
  /** The type, where the storage is untyped. */
  readonly type?: unknown;
  readonly metadata?: unknown;
  /** Why its numbers are not those stored. */
  readonly kind?: string;
}

/** The tensor that one of torch's `_rebuild_tensor` functions would make. */
export function rebuildTensor(
  source: string,
  args: readonly unknown[],
  { type, metadata, kind }: TensorExtras,
): TensorRef {
  const [storage, offset, shape, strides] = args;
  if (!isStorage(storage)) return fail(source, "a tensor without a storage");
  const dtype = storage.dtype ?? (type as { torchDtype?: unknown } | undefined)?.torchDtype;
  if (typeof dtype !== "string")
    return fail(source, `a tensor on storage ${storage.key} without an element type`);
  if (!isCount(offset) || !isCountList(shape) || !isCountList(strides) || shape.length !== strides.length) {
    return fail(source, `a tensor on storage ${storage.key} with impossible shape, strides or offset`);
  }
  const tensor = new TensorRef({
    storage,
    dtype: kind ?? viewOf(dtype, metadata),
    offset,
    shape: shape.slice(),
    strides: strides.slice(),
  });
  const width = storage.dtype ? 1 : (elementBytes(dtype) ?? 0);
  if (tensor.size > 0 && (offset + tensor.span) * width > storage.elements) {
    return fail(source, `a tensor [${shape.join(", ")}] that reaches past the end of storage ${storage.key}`);
  }
  return tensor;
}

/** A view of complex numbers may be stored with its sign still to be turned. */
function viewOf(dtype: string, metadata: unknown): string {
  if (!(metadata instanceof Map) || (metadata.get("neg") !== true && metadata.get("conj") !== true))
    return dtype;
  return `${dtype} with its sign still to be turned (write it again after resolve_neg() or resolve_conj())`;
}

function isStorage(value: unknown): value is StorageRef {
  return typeof value === "object" && value !== null && "windowStart" in value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isCountList(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MOST_AXES && value.every(isCount);
}

export function asList(source: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : fail(source, "something else where a list belongs");
}

export function fail(source: string, problem: string): never {
  throw new LuvitError("bad-file", `${source}: damaged torch file: ${problem}`);
}
