import { LuvitError, listOffenders } from "../../core/errors";
import { formatShape, type HostTensor, type StateDict, sizeOf } from "../../core/hostTensor";
import { checkOptions, optionsOf } from "../../core/options";
import { writeFileAtomically } from "../../core/writeAtomically";
import { narrowFromFloat32, type WritableDtype } from "../bytes";
import { plainObject, source, storedDtype, tensorsField } from "../options";

import { ZipWriter } from "./zipWriter";

/** What a torch file may hold beside its tensors. */
export type TorchPlain = number | string | boolean | null;

export interface TorchFileOptions {
  /** Stored type; default "F32". F16 and BF16 round to the nearest, ties to even. */
  dtype?: WritableDtype;
  /** Entries beside `model`, e.g. `{ epoch: 7 }`. */
  extras?: Readonly<Record<string, TorchPlain>>;
}

const isPlain = (value: unknown) => value === null || ["number", "string", "boolean"].includes(typeof value);

export const extras = plainObject<Readonly<Record<string, TorchPlain>>>("an object of plain values", isPlain);

export const torchFileOptions = optionsOf<TorchFileOptions>({}, { dtype: storedDtype, extras });

/** Elements converted at a time while writing. */
const CHUNK = 1 << 22;
const FOLDER = "archive";

const storageClasses: Readonly<Record<WritableDtype, string>> = {
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
};

/**
 * Writes `{ "model": state dict, … }` as torch.save does, so that `torch.load(path, weights_only=True)`, MAE's code and
 * timm read it. The file appears under its name only when it is complete.
 * Reference: torch/serialization.py `_save`; CPython Lib/pickletools.py.
 *
 * @throws LuvitError("shape-mismatch") before writing when a shape does not fit its numbers.
 */
export async function writeTorchCheckpoint(
  path: string,
  model: StateDict,
  options: TorchFileOptions = {},
): Promise<void> {
  checkOptions("writeTorchCheckpoint", source, { path });
  checkOptions("writeTorchCheckpoint", tensorsField, model);
  checkOptions("writeTorchCheckpoint", torchFileOptions, options);
  const { dtype = "F32", extras = {} } = options;
  const wrong = [...model].filter(([, { shape, data }]) => sizeOf(shape) !== data.length);
  if (wrong.length > 0) {
    const lines = wrong.map(
      ([name, { shape, data }]) => `${name}: ${formatShape(shape)}, ${data.length} numbers`,
    );
    throw new LuvitError("shape-mismatch", `${path}: not written\n${listOffenders(lines)}`);
  }
  const pickle = pickleOf(model, dtype, extras);
  await writeFileAtomically(path, async (handle) => {
    const zip = new ZipWriter(handle);
    await zip.add(`${FOLDER}/data.pkl`, () => [pickle]);
    await zip.add(`${FOLDER}/byteorder`, () => [Buffer.from("little")]);
    for (const [i, tensor] of [...model.values()].entries()) {
      await zip.add(`${FOLDER}/data/${i}`, () => piecesOf(tensor, dtype));
    }
    await zip.add(`${FOLDER}/version`, () => [Buffer.from("3\n")]);
    await zip.finish();
  });
}

function* piecesOf({ data }: HostTensor, dtype: WritableDtype): Iterable<Uint8Array> {
  for (let start = 0; start < data.length; start += CHUNK) {
    yield narrowFromFloat32(data.subarray(start, start + CHUNK), dtype);
  }
}

/** Exported for tests of files too large to be written. */
export function pickleOf(
  model: ReadonlyMap<string, Pick<HostTensor, "shape">>,
  dtype: WritableDtype,
  extras: Readonly<Record<string, TorchPlain>>,
): Uint8Array {
  const tensors = [...model].map(([name, { shape }], i) => [name, tensor(i, shape, dtype)] as const);
  const entries = [
    ["model", dict(tensors)] as const,
    ...Object.entries(extras).map(([name, value]) => [name, plain(value)] as const),
  ];
  return Buffer.concat([Buffer.of(0x80, 2), dict(entries), Buffer.from(".")]);
}

/** torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks) */
function tensor(key: number, shape: readonly number[], dtype: WritableDtype): Buffer {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const storage = tuple([
    text("storage"),
    global("torch", storageClasses[dtype]),
    text(String(key)),
    text("cpu"),
    integer(sizeOf(shape)),
  ]);
  const hooks = Buffer.concat([global("collections", "OrderedDict"), Buffer.from(")R")]);
  const args = tuple([
    Buffer.concat([storage, Buffer.from("Q")]),
    integer(0),
    tuple(shape.map(integer)),
    tuple(strides.map(integer)),
    Buffer.of(0x89),
    hooks,
  ]);
  return Buffer.concat([global("torch._utils", "_rebuild_tensor_v2"), args, Buffer.from("R")]);
}

function dict(entries: readonly (readonly [name: string, value: Buffer])[]): Buffer {
  return Buffer.concat([
    Buffer.from("}("),
    ...entries.flatMap(([name, value]) => [text(name), value]),
    Buffer.from("u"),
  ]);
}

function tuple(items: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from("("), ...items, Buffer.from("t")]);
}

function global(module: string, name: string): Buffer {
  return Buffer.from(`c${module}\n${name}\n`);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from("X\0\0\0\0");
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function integer(value: number): Buffer {
  const small = value >= 0 && value < 256;
  const head = Buffer.alloc(small ? 2 : 10);
  if (small) head.set([0x4b, value]);
  else {
    head.set([0x8a, 8]);
    head.writeBigInt64LE(BigInt(value), 2);
  }
  return head;
}

function plain(value: TorchPlain): Buffer {
  if (value === null) return Buffer.from("N");
  if (typeof value === "string") return text(value);
  if (typeof value === "boolean") return Buffer.of(value ? 0x88 : 0x89);
  if (Number.isSafeInteger(value)) return integer(value);
  const double = Buffer.from("G\0\0\0\0\0\0\0\0");
  double.writeDoubleBE(value, 1);
  return double;
}
