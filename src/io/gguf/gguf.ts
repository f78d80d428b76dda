import { LuvitError, listOffenders } from "../../core/errors";
import { type HostTensor, type StateDict, sizeOf } from "../../core/hostTensor";
import { type ByteSource, type ReadAgain, readRanges, requireNames, StoredTensor } from "../bytes";
import type { TensorInfo, TensorSeen } from "../safetensors";
import { type GgufHeader, type GgufMetadata, type GgufTensor, readGgufHeader } from "./header";
import { isReadable, readableGgufTypes } from "./types";

/** An open GGUF file: the header is in memory, tensors are read when asked for. */
export interface GgufFile {
  /** Names as in the file, e.g. `blk.0.attn_q.weight`. */
  readonly names: readonly string[];
  readonly metadata: GgufMetadata;
  /**
   * `dtype` is GGUF's name of the type, e.g. "Q4_K".
   *
   * @throws LuvitError("key-mismatch") for an unknown name.
   */
  info(name: string): TensorInfo;
  /**
   * Reads the named tensors (all by default) and nothing else, quantized ones as the numbers they stand for. `seen` is
   * called with each tensor as soon as it is there.
   */
  readTensors(names?: readonly string[], seen?: TensorSeen): Promise<StateDict>;
  close(): Promise<void>;
}

/**
 * Opens a GGUF file.
 *
 * @throws LuvitError("bad-file") that lists everything wrong with the header.
 */
export async function openGguf(source: ByteSource): Promise<GgufFile> {
  const header = await readGgufHeader(source);
  return {
    names: [...header.tensors.keys()],
    metadata: header.metadata,
    info: (name) => {
      requireNames(source, header, [name]);
      const { shape, type } = header.tensors.get(name)!;
      return { shape, dtype: type.name };
    },
    readTensors: (names, seen) => readStored(source, header, names ?? [...header.tensors.keys()], seen),
    close: () => source.close(),
  };
}

async function readStored(
  source: ByteSource,
  header: GgufHeader,
  names: readonly string[],
  seen?: TensorSeen,
): Promise<StateDict> {
  requireNames(source, header, names);
  const ranges = names.map((name) => ({ ...header.tensors.get(name)!, tag: name }));
  const foreign = ranges
    .filter(({ type }) => !isReadable(type))
    .map(({ tag, type }) => `${tag}: ${type.name}`);
  if (foreign.length > 0) {
    throw new LuvitError(
      "bad-file",
      `${source.name}: types that cannot be read (${readableGgufTypes.join(", ")} can)\n${listOffenders(foreign)}`,
    );
  }
  const found: StateDict = new Map();
  await readRanges(source, ranges, (name, bytes, again) => {
    const tensor = decode(header.tensors.get(name)!, bytes, again);
    found.set(name, tensor);
    seen?.(name, tensor);
  });
  return new Map(names.map((name) => [name, found.get(name)!]));
}

function decode({ shape, type }: GgufTensor, bytes: Uint8Array, again?: ReadAgain): HostTensor {
  if (type.stored) return new StoredTensor(shape, type.stored, bytes, again);
  const data = new Float32Array(sizeOf(shape));
  type.dequantize!(bytes, data);
  return { shape, data };
}
