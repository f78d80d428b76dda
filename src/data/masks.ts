import { LuvitError } from "../core/errors";
import { checkOptions, instance, object, whole } from "../core/options";
import { fileOrBytes } from "./options";
import { type IdMap, type RgbImage, readImageFile } from "./pixels";
import { decodeImage } from "./reading";

/** Id of pixels that count neither as foreground nor as background. */
const ignoreId = 1000;

/** A mask on the patch grid, rows first, [rows * columns] each. */
export interface CellMask {
  /** Of cells. */
  readonly rows: number;
  readonly columns: number;
  /** 1 where any pixel of the cell has a class id. */
  readonly foreground: Uint8Array;
  /** 0 where every pixel of the cell is to be ignored: such cells are neither foreground nor background. */
  readonly valid: Uint8Array;
}

/** Ids of an ImageNet-S mask, R + 256 * G: 0 other, 1 … N classes, 1000 ignore; the blue channel does not matter. */
export function maskIds(image: RgbImage): IdMap {
  const { data, width, height } = image;
  const ids = Int32Array.from({ length: width * height }, (_, i) => data[3 * i] + 256 * data[3 * i + 1]);
  return { ids, width, height };
}

/**
 * Decodes a mask, a PNG file or its bytes.
 *
 * @throws LuvitError("bad-image")
 */
export async function decodeMaskIds(source: string | Uint8Array): Promise<IdMap> {
  checkOptions("decodeMaskIds", fileOrBytes, source);
  const name = typeof source === "string" ? source : `${source.length} bytes in memory`;
  const bytes = typeof source === "string" ? await readMask(source) : source;
  expectPlausible(name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return maskIds(await decodeImage(bytes, { exif: "ignore" }, name));
}

async function readMask(path: string): Promise<Uint8Array> {
  try {
    return await readImageFile(path);
  } catch (cause) {
    throw new LuvitError("bad-image", `${path}: cannot be read (${(cause as Error).message})`, { cause });
  }
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Deflate makes at most 1032 bytes of one. */
const mostGrowth = 1032;
const channelsByColorType: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Refuses a size that so few bytes cannot fill, before memory is taken for it. */
function expectPlausible(name: string, bytes: Buffer): void {
  if (
    bytes.length < 33 ||
    !bytes.subarray(0, 8).equals(signature) ||
    bytes.toString("latin1", 12, 16) !== "IHDR"
  ) {
    throw new LuvitError(
      "bad-image",
      `${name}: expected a mask in PNG, found ${bytes.length} bytes of something else`,
    );
  }
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const bitsPerPixel = bytes[24] * (channelsByColorType[bytes[25]] ?? 1);
  const unpacked = height * (1 + (width * bitsPerPixel) / 8);
  if (unpacked <= mostGrowth * bytes.length) return;
  throw new LuvitError("bad-image", `${name}: ${bytes.length} bytes cannot hold ${width} x ${height} pixels`);
}

/**
 * Cells of `patch` x `patch` pixels of an id map [H, W]: foreground when any pixel has an id in 1 … N. Pixels beyond
 * the last full cell are left out.
 */
export function maskCells(ids: Int32Array, width: number, patch: number): CellMask {
  checkOptions("maskCells", instance(Int32Array, "an Int32Array of ids"), ids);
  checkOptions("maskCells", object({ width: whole(1), patch: whole(1) }, {}), { width, patch });
  const [columns, rows] = [Math.floor(width / patch), Math.floor(ids.length / width / patch)];
  if (columns < 1 || rows < 1 || ids.length % width !== 0) {
    throw new LuvitError(
      "shape-mismatch",
      `maskCells: ${ids.length} ids of width ${width} give no whole cell of ${patch} px, or no whole rows`,
    );
  }
  const foreground = new Uint8Array(rows * columns);
  const valid = new Uint8Array(rows * columns);
  for (let y = 0; y < rows * patch; y++) {
    for (let x = 0; x < columns * patch; x++) {
      const id = ids[y * width + x];
      const cell = Math.floor(y / patch) * columns + Math.floor(x / patch);
      if (id !== ignoreId) valid[cell] = 1;
      if (id !== ignoreId && id > 0) foreground[cell] = 1;
    }
  }
  return { rows, columns, foreground, valid };
}
