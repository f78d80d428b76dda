import { LuvitError, listOffenders } from "../core/errors";
import type { HostTensor } from "../core/hostTensor";
import type { ByteSource } from "./byteSource";
import { bytesPerElement, widenToFloat32 } from "./floats";
import { type ByteRange, readRanges } from "./rangeReads";
import { StoredTensor } from "./storedTensor";
import { openLegacyContainer, openZipContainer, type TorchContainer } from "./torchContainers";
import { TensorRef } from "./torchTensors";

/** Where state dicts usually sit in a training checkpoint, in the order they are looked for. */
const USUAL_KEYS = ["model", "state_dict", "model_state_dict", "module"];

/** An open torch.save file: its object without the numbers, tensors are read when asked for. */
export interface TorchFile {
  /**
   * The saved object in plain containers: dict -> Map, list and tuple -> array, tensor -> TensorRef, argparse.Namespace
   * -> PlainRecord. May refer to itself; do not walk it without a limit.
   */
  readonly root: unknown;
  /**
   * The tensors of the dict at a dotted path ("model", "optimizer.state"); without a path those of the root or of the
   * usual keys model, state_dict, model_state_dict, module. Throws LuvitError "key-mismatch" when there are none.
   */
  stateDict(path?: string): ReadonlyMap<string, TensorRef>;
  /** Reads tensors found anywhere in `root`, each as its own copy in row-major order; `seen` gets each when it is there. */
  readTensors<Name>(
    tensors: ReadonlyMap<Name, TensorRef>,
    seen?: (name: Name, tensor: HostTensor) => void,
  ): Promise<Map<Name, HostTensor>>;
  close(): Promise<void>;
}

/**
 * Opens a file written by torch.save, in the zip container or the older one. The pickle is read by a restricted reader
 * that executes nothing. Throws LuvitError "refused-file" for globals that are not on its list, "bad-file" for damage.
 */
export async function openTorchFile(source: ByteSource): Promise<TorchFile> {
  const container = await openContainer(source);
  return {
    root: container.root,
    stateDict: (path) => findStateDict(source, container.root, path),
    readTensors: (tensors, seen) => readTensors(source, container, tensors, seen),
    close: () => source.close(),
  };
}

async function openContainer(source: ByteSource): Promise<TorchContainer> {
  const start = await source.read(0, Math.min(2, source.size));
  if (start[0] === 0x50 && start[1] === 0x4b) return openZipContainer(source);
  if (start[0] === 0x80) return openLegacyContainer(source);
  const what = source.size === 0 ? "the file is empty" : "not a torch file (neither zip nor pickle)";
  throw new LuvitError("bad-file", `${source.name}: ${what}`);
}

function findStateDict(source: ByteSource, root: unknown, path: string | undefined): Map<string, TensorRef> {
  if (path !== undefined) {
    const found = tensorsOf(
      path.split(".").reduce((at, key) => (at instanceof Map ? at.get(key) : undefined), root),
    );
    return found.size > 0 ? found : failWithoutTensors(source, root, ` under "${path}"`);
  }
  const direct = tensorsOf(root);
  if (direct.size > 0) return direct;
  for (const key of root instanceof Map ? USUAL_KEYS : []) {
    const found = tensorsOf((root as Map<unknown, unknown>).get(key));
    if (found.size > 0) return found;
  }
  return failWithoutTensors(source, root, "");
}

function tensorsOf(value: unknown): Map<string, TensorRef> {
  const found = new Map<string, TensorRef>();
  if (!(value instanceof Map)) return found;
  for (const [name, entry] of value) {
    if (typeof name === "string" && entry instanceof TensorRef) found.set(name, entry);
  }
  return found;
}

function failWithoutTensors(source: ByteSource, root: unknown, where: string): never {
  const keys = root instanceof Map ? [...root.keys()].filter((key) => typeof key === "string") : [];
  const holds = keys.length > 0 ? `; the file holds\n${listOffenders(keys as string[])}` : "";
  throw new LuvitError("key-mismatch", `${source.name}: no tensors${where}${holds}`);
}

async function readTensors<Name>(
  source: ByteSource,
  container: TorchContainer,
  tensors: ReadonlyMap<Name, TensorRef>,
  seen?: (name: Name, tensor: HostTensor) => void,
): Promise<Map<Name, HostTensor>> {
  requirePlausibleSize(source, tensors.values());
  const ranges: ByteRange<Name>[] = [];
  for (const [name, tensor] of tensors) {
    const width = bytesPerElement[tensor.dtype];
    const start = tensor.size === 0 ? 0 : (await container.locate(tensor.storage)) + tensor.offset * width;
    ranges.push({ start, end: start + tensor.span * width, tag: name });
  }
  const found = new Map<Name, HostTensor>();
  await readRanges(source, ranges, (name, bytes) => {
    const tensor = tensors.get(name)!;
    found.set(name, rowMajor(bytes, tensor));
    seen?.(name, found.get(name)!);
  });
  return new Map([...tensors.keys()].map((name) => [name, found.get(name)!]));
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
function rowMajor(span: Uint8Array, tensor: TensorRef): HostTensor {
  const { shape, strides, dtype } = tensor;
  if (isRowMajor(shape, strides)) return new StoredTensor(shape, dtype, span);
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
