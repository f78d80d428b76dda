import { LuvitError, listOffenders } from "../../core/errors";
import type { HostTensor, StateDict, StoredDtype } from "../../core/hostTensor";
import {
  type ByteRange,
  type ByteSource,
  bytesPerElement,
  type KeptFile,
  KeptStretch,
  type ReadAgain,
  readRanges,
  StoredTensor,
  widenToFloat32,
} from "../bytes";
import {
  isLegacyContainer,
  openArrayPickle,
  openLegacyContainer,
  openZipContainer,
  type TorchContainer,
} from "./torchContainers";
import { findTorchState, type TorchState } from "./torchStates";
import type { TensorRef } from "./torchTensors";

/** An open torch.save file: its object without the numbers, tensors are read when asked for. */
export interface TorchFile {
  /**
   * The saved object in plain containers: dict -> Map, list and tuple -> array, tensor -> TensorRef, argparse.Namespace
   * -> PlainRecord. May refer to itself; do not walk it without a limit.
   */
  readonly root: unknown;
  /** The tensors of the dict at a dotted path, or at the usual places. See `findTorchState`. */
  state(path?: string): TorchState;
  /** Reads tensors found anywhere in `root`, each as its own copy in row-major order; `seen` gets each when it is there. */
  readTensors<Name>(
    tensors: ReadonlyMap<Name, TensorRef>,
    seen?: (name: Name, tensor: HostTensor) => void,
  ): Promise<Map<Name, HostTensor>>;
  close(): Promise<void>;
}

/**
 * Opens a file written by torch.save, in the zip container or the older one, or one pickle of numpy arrays. The pickle is read by a restricted reader
 * that executes nothing.
 *
 * @throws LuvitError("refused-file" | "bad-file"): "refused-file" for globals that are not on its list, "bad-file" for
 * damage.
 */
export async function openTorchFile(source: ByteSource): Promise<TorchFile> {
  const container = await openContainer(source);
  return {
    root: container.root,
    state: (path) => findTorchState(source.name, container.root, path),
    readTensors: (tensors, seen) => readTensors(source, container, tensors, seen),
    close: () => source.close(),
  };
}

/**
 * The tensors of a torch file that stays open, each to be read when it is needed; only those that lie in it in another order
 * than theirs are read now.
 *
 * @throws LuvitError("refused-file" | "bad-file" | "key-mismatch") as `openTorchFile`.
 */
export async function keepTorchFile(file: KeptFile): Promise<StateDict> {
  const container = await openContainer(file);
  const { tensors } = findTorchState(file.name, container.root, undefined);
  requireReadable(file, tensors);
  requirePlausibleSize(file, tensors.values());
  const isPlain = ({ storage, shape, strides }: TensorRef) => !storage.bytes && isRowMajor(shape, strides);
  const read = await readTensors(file, container, new Map([...tensors].filter(([, ref]) => !isPlain(ref))));
  const kept: StateDict = new Map();
  for (const [name, ref] of tensors) {
    const stretch = isPlain(ref) ? await stretchOf(container, ref) : undefined;
    const tensor = stretch && new KeptStretch(file, stretch.start, stretch.end);
    kept.set(name, tensor ? new StoredTensor(ref.shape, ref.dtype as StoredDtype, tensor) : read.get(name)!);
  }
  return kept;
}

/** The bytes from a tensor's first element to its last. */
async function stretchOf(container: TorchContainer, ref: TensorRef): Promise<{ start: number; end: number }> {
  const width = bytesPerElement[ref.dtype as StoredDtype];
  const start = ref.size === 0 ? 0 : (await container.locate(ref.storage)) + ref.offset * width;
  return { start, end: start + ref.span * width };
}

async function openContainer(source: ByteSource): Promise<TorchContainer> {
  const start = await source.read(0, Math.min(2, source.size));
  if (start[0] === 0x50 && start[1] === 0x4b) return openZipContainer(source);
  if (start[0] === 0x80)
    return (await isLegacyContainer(source)) ? openLegacyContainer(source) : openArrayPickle(source);
  const what = source.size === 0 ? "the file is empty" : "not a torch file (neither zip nor pickle)";
  throw new LuvitError("bad-file", `${source.name}: ${what}`);
}

async function readTensors<Name>(
  source: ByteSource,
  container: TorchContainer,
  tensors: ReadonlyMap<Name, TensorRef>,
  seen?: (name: Name, tensor: HostTensor) => void,
): Promise<Map<Name, HostTensor>> {
  requireReadable(source, tensors);
  requirePlausibleSize(source, tensors.values());
  const ranges: ByteRange<Name>[] = [];
  const found = new Map<Name, HostTensor>();
  for (const [name, tensor] of tensors) {
    const { bytes } = tensor.storage;
    if (bytes) {
      found.set(name, rowMajor(bytes.slice(), tensor));
      seen?.(name, found.get(name)!);
      continue;
    }
    ranges.push({ ...(await stretchOf(container, tensor)), tag: name });
  }
  await readRanges(source, ranges, (name, bytes, again) => {
    const tensor = tensors.get(name)!;
    found.set(name, rowMajor(bytes, tensor, again));
    seen?.(name, found.get(name)!);
  });
  return new Map([...tensors.keys()].map((name) => [name, found.get(name)!]));
}

function requireReadable(source: ByteSource, tensors: ReadonlyMap<unknown, TensorRef>): void {
  const foreign = [...tensors].filter(([, { isReadable }]) => !isReadable);
  if (foreign.length === 0) return;
  const lines = foreign.map(([name, { dtype }]) => `${name}: ${dtype}`);
  throw new LuvitError("bad-file", `${source.name}: types that cannot be read\n${listOffenders(lines)}`);
}

/** Expanded or shared tensors could ask for far more memory or time than the file's length justifies; real ones do not. */
function requirePlausibleSize(source: ByteSource, tensors: Iterable<TensorRef>): void {
  let total = 0;
  for (const tensor of tensors) {
    total += Math.max(tensor.size, tensor.span);
    const expanded = tensor.size > tensor.span;
    if ((expanded && tensor.size > source.size) || total > 16 * source.size) {
      const text = "the tensors describe far more numbers than the file has bytes";
      throw new LuvitError("bad-file", `${source.name}: ${text}`);
    }
  }
}

/** A tensor of the stretch of bytes from its first to its last element. */
function rowMajor(span: Uint8Array, tensor: TensorRef, again?: ReadAgain): HostTensor {
  const { shape, strides } = tensor;
  const dtype = tensor.dtype as StoredDtype;
  if (isRowMajor(shape, strides)) return new StoredTensor(shape, dtype, span, again);
  return { shape, dtype, data: gather(widenToFloat32(span, dtype), tensor) };
}

/** Row-major copy of a strided view whose first element is `span[0]`. */
function gather(span: Float32Array, { shape, strides, size }: TensorRef): Float32Array {
  const out = new Float32Array(size);
  if (size === 0) return out;
  const last = shape.length - 1;
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < size; ) {
    for (let i = 0, at = from; i < shape[last]; i++, at += strides[last]) out[to++] = span[at];
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}
