import { decompressors } from "./parquetModule";

const magic = 0xfd2fb528;
/** Window that a frame may ask for beside twice what it holds. */
const freeWindow = 2 ** 17;

/**
 * Unpacks a Zstandard frame of a known length. Frames that announce another length, or a window out of all proportion,
 * are refused before memory is taken for them. Reference: RFC 8878, 3.1.1.1.
 */
export async function unpackZstdFrame(frame: Uint8Array, length: number): Promise<Uint8Array> {
  expectSize(frame, length);
  const { ZSTD } = await decompressors();
  const output = ZSTD!(frame, length);
  if (output.length === length) return output;
  throw new Error(`a Zstandard frame of ${output.length} bytes, expected ${length}`);
}

function expectSize(frame: Uint8Array, length: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== magic) throw new Error("no Zstandard frame");
  const descriptor = frame[4];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6];
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  const size = sizeBytes === 0 ? length : contentSize(view, at, sizeBytes);
  if (size !== length) throw new Error(`a Zstandard frame of ${size} bytes, expected ${length}`);
  const window = isSingleSegment ? size : windowSize(frame[5]);
  if (window > freeWindow + 2 * length) throw new Error(`a Zstandard window of ${window} bytes`);
}

function contentSize(view: DataView, at: number, bytes: number): number {
  if (bytes === 8) return Number(view.getBigUint64(at, true));
  if (bytes === 4) return view.getUint32(at, true);
  return bytes === 2 ? view.getUint16(at, true) + 256 : view.getUint8(at);
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
