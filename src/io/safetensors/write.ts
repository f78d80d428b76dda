import type { FileHandle } from "node:fs/promises";
import { LuvitError, listOffenders } from "../../core/errors";
import { formatShape, type StateDict, sizeOf, streamOf, type TensorStream } from "../../core/hostTensor";
import { checkOptions, path as filePath, named, optionsOf, such } from "../../core/options";
import { writeFileAtomically } from "../../core/writeAtomically";
import { type Place, writeNumbers } from "../../core/writeNumbers";
import { bytesPerElement, narrowFromFloat32, type WritableDtype } from "../bytes";
import { storedDtype, tensorsField } from "../options";

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
  const wrong = [...tensors].flatMap(([name, tensor]) => {
    const { length } = tensor.peek?.() ?? tensor.data;
    if (sizeOf(tensor.shape) === length) return [];
    return [`${name}: shape ${formatShape(tensor.shape)} with ${length} numbers`];
  });
  refuseReserved(path, tensors, wrong);
  await writeTensorStream(path, streamOf(tensors), options);
}

/**
 * The same with tensors that come while they are written.
 *
 * @throws LuvitError("shape-mismatch") where other numbers come than the shapes say; no file is there then.
 */
export async function writeTensorStream(
  path: string,
  tensors: TensorStream,
  { dtype = "F32", metadata }: SafetensorsOptions = {},
): Promise<void> {
  refuseReserved(path, tensors.shapes);
  const { header, places } = layOut(tensors.shapes, dtype, metadata);
  await writeFileAtomically(path, async (handle, temporary) => {
    await writeFully(handle, header);
    if (dtype === "F32" && tensors.writeInto) await tensors.writeInto(temporary, places);
    else await writeNumbers(temporary, places, tensors.read, (data) => narrowFromFloat32(data, dtype));
  });
}

function refuseReserved(path: string, names: ReadonlyMap<string, unknown>, wrong: string[] = []): void {
  if (names.has("__metadata__")) wrong.push("__metadata__: reserved name");
  if (wrong.length === 0) return;
  throw new LuvitError("shape-mismatch", `${path}: not written\n${listOffenders(wrong)}`);
}

/** The header's bytes, and where in the file each tensor belongs. */
function layOut(
  shapes: TensorStream["shapes"],
  dtype: WritableDtype,
  metadata: Readonly<Record<string, string>> | undefined,
): { header: Uint8Array; places: Map<string, Place> } {
  const fields: string[] = [];
  if (metadata) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const spans = new Map<string, Place>();
  let offset = 0;
  for (const name of [...shapes.keys()].sort()) {
    const shape = shapes.get(name)!;
    const end = offset + sizeOf(shape) * bytesPerElement[dtype];
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    spans.set(name, { start: offset, end });
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  const inFile = ({ start, end }: Place) => ({ start: header.length + start, end: header.length + end });
  return { header, places: new Map([...spans].map(([name, span]) => [name, inFile(span)])) };
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}
