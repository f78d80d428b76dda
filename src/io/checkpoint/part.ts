import { LuvitError } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import type { ByteSource } from "../bytes";
import { type GgufMetadata, openGguf } from "../gguf";
import { openSafetensors, type TensorInfo, type TensorSeen } from "../safetensors";
import { openTorchFile, type TorchState } from "../torch";

/** One file of a checkpoint, safetensors, torch or GGUF. */
export interface WeightPart {
  /** The header's entries of a GGUF file. */
  readonly ggufMetadata?: GgufMetadata;
  /** What a torch file holds, and which of its dicts the tensors are from. */
  readonly torch?: { readonly root: unknown } & Pick<TorchState, "where" | "others">;
  readonly names: readonly string[];
  info(name: string): TensorInfo;
  /** `seen` is called with each tensor as soon as it is there, while others are still being read. */
  readTensors(names: readonly string[], seen?: TensorSeen): Promise<StateDict>;
  close(): Promise<void>;
}

/** Where to look inside a file. */
export interface WeightPartOptions {
  /**
   * Dotted path of the dict of a .pth file that holds the tensors, e.g. "model_ema" for averaged weights, or what the names
   * of those wanted begin with, e.g. "backbone". Default: `state_dict`, `model` and the like, wherever the file has them.
   */
  key?: string;
}

/** Opens a weight file by the ending of its name or, if that says nothing, by its first bytes. */
export async function openWeightPart(
  source: ByteSource,
  { key }: WeightPartOptions = {},
): Promise<WeightPart> {
  const kind = await kindOf(source);
  if (kind === "safetensors") return openSafetensors(source);
  if (kind === "gguf") {
    const file = await openGguf(source);
    return { ...file, ggufMetadata: file.metadata };
  }
  const file = await openTorchFile(source);
  const { tensors, where, others } = file.state(key);
  return {
    torch: { root: file.root, where, others },
    names: [...tensors.keys()],
    info: (name) => {
      const { shape, dtype } = requireTensor(source, tensors, name);
      return { shape, dtype };
    },
    readTensors: (names, seen) =>
      file.readTensors(new Map(names.map((name) => [name, requireTensor(source, tensors, name)])), seen),
    close: () => file.close(),
  };
}

/**
 * First bytes of images, which people give where a model is asked for. As the length of a safetensors header they would be
 * more than there may be.
 */
const images: readonly (readonly [start: string, format: string])[] = [
  ["\xff\xd8\xff", "JPEG"],
  ["\x89PNG", "PNG"],
  ["GIF8", "GIF"],
  ["RIFF", "WebP"],
];

/**
 * What a weight file is, by the ending of its name or, if that says nothing, by its first bytes.
 *
 * @throws LuvitError("bad-file") for an image.
 */
export async function kindOf(
  source: Pick<ByteSource, "name" | "size" | "read">,
): Promise<"safetensors" | "gguf" | "torch"> {
  const { name, size } = source;
  if (name.endsWith(".safetensors")) return "safetensors";
  if (name.endsWith(".gguf")) return "gguf";
  if (/\.(pth|pt|bin|pkl|ckpt)$/.test(name)) return "torch";
  const start = String.fromCharCode(...(await source.read(0, Math.min(4, size))));
  if (start === "GGUF") return "gguf";
  const image = images.find(([beginning]) => start.startsWith(beginning))?.[1];
  if (image) throw new LuvitError("bad-file", `${name}: an image (${image}), not the weights of a model`);
  return start.startsWith("PK") || start.startsWith("\x80") ? "torch" : "safetensors";
}

function requireTensor<Value>(source: ByteSource, tensors: ReadonlyMap<string, Value>, name: string): Value {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new LuvitError("key-mismatch", `${source.name}: no tensor ${name}`);
  return tensor;
}
