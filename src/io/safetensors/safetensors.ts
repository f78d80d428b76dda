import type { FileHandle } from "node:fs/promises";
import { LuvitError, listOffenders } from "../../core/errors";
import {
  formatShape,
  type HostTensor,
  type StateDict,
  type StoredDtype,
  sizeOf,
} from "../../core/hostTensor";
import { checkOptions, path as filePath, named, optionsOf, shaped, such } from "../../core/options";
import { writeFileAtomically } from "../../core/writeAtomically";
import {
  type ByteSource,
  bytesPerElement,
  narrowFromFloat32,
  readRanges,
  requireNames,
  StoredTensor,
  type WritableDtype,
} from "../bytes";
import { storedDtype, tensorsField } from "../options";

import { parseSafetensorsHeader, type SafetensorsHeader, type TensorInfo } from "./header";

/** The official library refuses longer headers; so do we. */
const LARGEST_HEADER = 100_000_000;

/** Elements converted at a time while writing. */
const WRITE_CHUNK = 1 << 22;

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
  const foreign = ranges.filter(({ dtype }) => !Object.hasOwn(bytesPerElement, dtype));
  if (foreign.length > 0) {
    const lines = foreign.map(({ tag, dtype }) => `${tag}: ${dtype}`);
    throw new LuvitError("bad-file", `${source.name}: types that cannot be read\n${listOffenders(lines)}`);
  }
  const found: StateDict = new Map();
  await readRanges(source, ranges, (name, bytes) => {
    const { shape, dtype } = header.tensors.get(name)!;
    const tensor = new StoredTensor(shape, dtype as StoredDtype, bytes);
    found.set(name, tensor);
    seen?.(name, tensor);
  });
  return new Map(names.map((name) => [name, found.get(name)!]));
}

/** How to write a safetensors file. */
export interface SafetensorsOptions {
  /** Stored type; default "F32". F16 and BF16 round to the nearest, ties to even. */
  dtype?: WritableDtype;
  /** Texts kept in the header, e.g. `{ format: "pt" }`. */
  metadata?: Readonly<Record<string, string>>;
}

export const safetensorsOptions = optionsOf<SafetensorsOptions>(
  {},
  { dtype: storedDtype, metadata: named(such<string>("a text", (value) => typeof value === "string")) },
);

/**
 * Writes a state dict: tensors sorted by name, header padded to a multiple of 8 bytes as the official library does.
 * The file appears under its name only when it is complete.
 *
 * @throws LuvitError("shape-mismatch") before writing when a shape does not fit its numbers.
 */
export async function writeSafetensors(
  path: string,
  tensors: StateDict,
  options: SafetensorsOptions = {},
): Promise<void> {
  checkOptions("writeSafetensors", filePath, path);
  checkOptions("writeSafetensors", tensorsField, tensors);
  checkOptions("writeSafetensors", safetensorsOptions, options);
  const { dtype = "F32", metadata } = options;
  requireFittingShapes(path, tensors);
  const ordered = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const header = buildHeader(ordered, dtype, metadata);
  await writeFileAtomically(path, async (handle) => {
    await writeFully(handle, header);
    for (const [, { data }] of ordered) {
      for (let start = 0; start < data.length; start += WRITE_CHUNK) {
        await writeFully(handle, narrowFromFloat32(data.subarray(start, start + WRITE_CHUNK), dtype));
      }
    }
  });
}

function requireFittingShapes(path: string, tensors: StateDict): void {
  const wrong: string[] = [];
  for (const [name, { shape, data }] of tensors) {
    if (sizeOf(shape) !== data.length) {
      wrong.push(`${name}: shape ${formatShape(shape)} with ${data.length} numbers`);
    }
  }
  if (tensors.has("__metadata__")) wrong.push("__metadata__: reserved name");
  if (wrong.length > 0) {
    throw new LuvitError("shape-mismatch", `${path}: not written\n${listOffenders(wrong)}`);
  }
}

function buildHeader(
  ordered: readonly (readonly [string, HostTensor])[],
  dtype: WritableDtype,
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const fields: string[] = [];
  if (metadata) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let offset = 0;
  for (const [name, { shape, data }] of ordered) {
    const end = offset + data.length * bytesPerElement[dtype];
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}
