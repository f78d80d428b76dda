import { LuvitError, listOffenders } from "../../core/errors";
import type { HostTensor, StateDict, StoredDtype } from "../../core/hostTensor";
import { checkOptions, shaped } from "../../core/options";
import {
  type ByteSource,
  bytesPerElement,
  type KeptFile,
  KeptStretch,
  readRanges,
  requireNames,
  StoredTensor,
} from "../bytes";
import { parseSafetensorsHeader, type SafetensorsHeader, type TensorInfo } from "./header";

/** The official library refuses longer headers; so do we. */
const LARGEST_HEADER = 100_000_000;

/** Called with each tensor as soon as it is there, while others are still being read. */
export type TensorSeen = (name: string, tensor: HostTensor) => void;

/** An open safetensors file: the header is in memory, tensors are read when asked for. */
export interface SafetensorsFile {
  /** Tensor names in the order of the header. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * @throws LuvitError("key-mismatch") for an unknown name.
   */
  info(name: string): TensorInfo;
  readTensor(name: string): Promise<HostTensor>;
  /** Reads the named tensors (all by default), neighbors in one read. Order of the result: order of `names`. */
  readTensors(names?: readonly string[], seen?: TensorSeen): Promise<StateDict>;
  close(): Promise<void>;
}

/**
 * Opens a safetensors file: 8-byte little-endian header length, JSON header, flat data.
 *
 * @throws LuvitError("bad-file") that lists everything wrong with the header.
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  checkOptions(
    "openSafetensors",
    shaped("a source of bytes { name, size, read }", "name", "size", "read"),
    source,
  );
  const header = await readHeader(source);
  return {
    names: [...header.tensors.keys()],
    metadata: header.metadata,
    info: (name) => {
      requireNames(source, header, [name]);
      const { shape, dtype } = header.tensors.get(name)!;
      return { shape, dtype };
    },
    readTensor: async (name) => (await readStored(source, header, [name])).get(name)!,
    readTensors: (names, seen) => readStored(source, header, names ?? [...header.tensors.keys()], seen),
    close: () => source.close(),
  };
}

/** What a safetensors file holds, its tensors to be read when they are needed. */
export interface KeptSafetensors {
  readonly tensors: StateDict;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Every tensor of a safetensors file that stays open.
 *
 * @throws LuvitError("bad-file") that lists everything wrong with the header, or the types that cannot be read.
 */
export async function keepSafetensors(file: KeptFile): Promise<KeptSafetensors> {
  const header = await readHeader(file);
  requireReadable(file, header, [...header.tensors.keys()]);
  const tensors = [...header.tensors].map(([name, { shape, dtype, start, end }]): [string, HostTensor] => {
    return [name, new StoredTensor(shape, dtype as StoredDtype, new KeptStretch(file, start, end))];
  });
  return { tensors: new Map(tensors), metadata: header.metadata };
}

async function readHeader(source: ByteSource): Promise<SafetensorsHeader> {
  if (source.size < 8) {
    throw new LuvitError("bad-file", `${source.name}: ${source.size} bytes are too short for safetensors`);
  }
  const prefix = await source.read(0, 8);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length > LARGEST_HEADER || length > source.size - 8) {
    throw new LuvitError(
      "bad-file",
      `${source.name}: the header claims ${length} bytes, the file has ${source.size} (not safetensors, or cut off)`,
    );
  }
  const text = decodeHeader(source.name, await source.read(8, 8 + length));
  return parseSafetensorsHeader(source.name, text, 8 + length, source.size);
}

/** Bytes that are no UTF-8 are an error, and a byte-order mark stays, which JSON does not allow. */
function decodeHeader(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LuvitError("bad-file", `${name}: the safetensors header is not UTF-8`, { cause });
  }
}

async function readStored(
  source: ByteSource,
  header: SafetensorsHeader,
  names: readonly string[],
  seen?: TensorSeen,
): Promise<StateDict> {
  requireNames(source, header, names);
  const ranges = names.map((name) => ({ ...header.tensors.get(name)!, tag: name }));
  requireReadable(source, header, names);
  const found: StateDict = new Map();
  await readRanges(source, ranges, (name, bytes, again) => {
    const { shape, dtype } = header.tensors.get(name)!;
    const tensor = new StoredTensor(shape, dtype as StoredDtype, bytes, again);
    found.set(name, tensor);
    seen?.(name, tensor);
  });
  return new Map(names.map((name) => [name, found.get(name)!]));
}

function requireReadable(source: ByteSource, header: SafetensorsHeader, names: readonly string[]): void {
  const infos = names.map((name) => [name, header.tensors.get(name)!.dtype] as const);
  const foreign = infos.filter(([, dtype]) => !Object.hasOwn(bytesPerElement, dtype));
  if (foreign.length === 0) return;
  const lines = foreign.map(([name, dtype]) => `${name}: ${dtype}`);
  throw new LuvitError("bad-file", `${source.name}: types that cannot be read\n${listOffenders(lines)}`);
}
