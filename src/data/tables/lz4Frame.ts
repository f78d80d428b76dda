const magic = 0x184d2204;
/** Bits of a frame's first byte. */
const flags = { blockChecksums: 1 << 4, contentSize: 1 << 3, dictionary: 1 };
const stored = 0x80000000;
const leastMatch = 4;

/**
 * Unpacks an LZ4 frame of a known length, also one whose blocks refer to earlier blocks. Checksums are passed over.
 * What cannot be unpacked is an error of type Error. Reference: lz4_Frame_format.md and lz4_Block_format.md.
 */
export function unpackLz4Frame(frame: Uint8Array, length: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 7 || view.getUint32(0, true) !== magic) throw new Error("no LZ4 frame");
  const flag = frame[4];
  if (flag >> 6 !== 1 || flag & flags.dictionary) throw new Error("an LZ4 frame of an unknown kind");
  const output = new Uint8Array(length);
  let written = 0;
  let at = 7 + (flag & flags.contentSize ? 8 : 0);
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const end = at + (size & ~stored);
    if (end > frame.length) throw new Error("an LZ4 block that is cut off");
    const block = frame.subarray(at, end);
    if (size & stored) {
      expectRoom(output, written + block.length);
      output.set(block, written);
      written += block.length;
    } else written = unpackBlock(block, output, written);
    at = end + (flag & flags.blockChecksums ? 4 : 0);
  }
  if (written !== length) throw new Error(`an LZ4 frame of ${written} bytes, expected ${length}`);
  return output;
}

/** Unpacks a block of a known length, which stands on its own. */
export function unpackLz4Block(block: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length);
  const written = unpackBlock(block, output, 0);
  if (written === length) return output;
  throw new Error(`an LZ4 block of ${written} bytes, expected ${length}`);
}

/**
 * Unpacks blocks as Hadoop frames them, each behind its two lengths with the highest byte first; where the lengths do not
 * fit, one block without. Reference: Arrow cpp/src/arrow/util/compression_lz4.cc.
 */
export function unpackHadoopLz4(framed: Uint8Array, length: number): Uint8Array {
  const view = new DataView(framed.buffer, framed.byteOffset, framed.byteLength);
  const output = new Uint8Array(length);
  let written = 0;
  let at = 0;
  while (at + 8 <= framed.length) {
    const [unpacked, stored] = [view.getUint32(at), view.getUint32(at + 4)];
    const end = at + 8 + stored;
    if (end > framed.length || written + unpacked > length) break;
    try {
      output.set(unpackLz4Block(framed.subarray(at + 8, end), unpacked), written);
    } catch {
      break;
    }
    written += unpacked;
    at = end;
  }
  return at === framed.length && written === length ? output : unpackLz4Block(framed, length);
}

/** Unpacks one block behind what is already there; gives back where it ends. */
function unpackBlock(block: Uint8Array, output: Uint8Array, start: number): number {
  let at = 0;
  let written = start;
  /** A length whose first part is in the token; 15 is followed by more. */
  const lengthFrom = (first: number) => {
    let total = first;
    for (let more = first === 15 ? 255 : 0; more === 255; total += more) {
      if (at >= block.length) throw new Error("an LZ4 length that is cut off");
      more = block[at++];
    }
    return total;
  };
  while (at < block.length) {
    const token = block[at++];
    const literals = lengthFrom(token >> 4);
    if (literals > block.length - at) throw new Error("LZ4 literals that are cut off");
    expectRoom(output, written + literals);
    output.set(block.subarray(at, at + literals), written);
    at += literals;
    written += literals;
    if (at === block.length) break; // the last sequence is literals alone
    const back = block[at] | (block[at + 1] << 8);
    at += 2;
    const match = lengthFrom(token & 15) + leastMatch;
    if (at > block.length || back === 0 || back > written) throw new Error("an LZ4 match of nothing");
    expectRoom(output, written + match);
    written = repeat(output, written, back, match);
  }
  return written;
}

/** Copies what lies `back` bytes before; where that is less than the length, what is copied is copied again. */
function repeat(output: Uint8Array, written: number, back: number, length: number): number {
  const end = written + length;
  if (back >= length) output.copyWithin(written, written - back, end - back);
  else for (let at = written; at < end; at++) output[at] = output[at - back];
  return end;
}

function expectRoom(output: Uint8Array, end: number): void {
  if (end > output.length) throw new Error(`LZ4 data beyond the ${output.length} bytes that were announced`);
}
