import { LuvitError } from "../../core/errors";
import type { ArraysByName, TypedArray } from "../executor";

/*
 * A frame is a small message and the arrays that belong to it: four bytes of mark, the length of the header (uint32,
 * little-endian), the header as JSON, then the bytes of each array, one after the other, in the machine's own byte
 * order (both ends are on one machine).
 */

/** What crosses a channel at once. */
export interface Frame {
  /** Plain data, as JSON takes it. */
  readonly message: unknown;
  readonly arrays: ArraysByName;
}

interface Header {
  message: unknown;
  arrays: [name: string, type: ArrayType, length: number][];
}

const arrayTypes = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;
type ArrayType = keyof typeof arrayTypes;

const MARK = 0x5456554c;
const PREFIX_BYTES = 8;
/** The graph of a large training step is a few megabytes of JSON. */
const MOST_HEADER_BYTES = 2 ** 26;
/** No piece that is read or written at once is longer, so that nothing waits long for its turn. */
export const PIECE_BYTES = 2 ** 20;

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array | TypedArray) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The bytes of a frame in pieces that are views of the arrays, not copies. */
export function framePieces({ message, arrays }: Frame): Uint8Array[] {
  const header: Header = {
    message,
    arrays: Object.entries(arrays).map(([name, array]) => [name, typeOf(name, array), array.length]),
  };
  const text = Buffer.from(JSON.stringify(header));
  if (text.length > MOST_HEADER_BYTES)
    throw new LuvitError("engine", `a message of ${text.length} bytes is too long for the engine process`);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(MARK, 0);
  prefix.writeUInt32LE(text.length, 4);
  return [Buffer.concat([prefix, text]), ...Object.values(arrays).map(bytesOf)].flatMap(inPieces);
}

function inPieces(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(bytes.length / PIECE_BYTES);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES));
}

function typeOf(name: string, array: TypedArray): ArrayType {
  for (const [type, ArrayOfType] of Object.entries(arrayTypes))
    if (array instanceof ArrayOfType) return type as ArrayType;
  const found = Object.prototype.toString.call(array).slice(8, -1);
  throw new LuvitError(
    "bad-argument",
    `${name}: expected a Float32Array, Int32Array or Uint8Array, got ${found}`,
  );
}

/** Puts frames together from bytes that come in pieces of any length, each array in the memory where it will stay. */
export class FrameReader {
  private part: "prefix" | "header" | "arrays" = "prefix";
  private target: Uint8Array = new Uint8Array(PREFIX_BYTES);
  private at = 0;
  private header: Header = { message: undefined, arrays: [] };
  private arrays: TypedArray[] = [];

  constructor(
    private readonly onFrame: (frame: Frame) => void,
    /** A frame whose arrays are larger is refused before there is memory for it. */
    private readonly mostBytes: number,
  ) {}

  /** Where the next bytes belong; never empty. */
  room(): Uint8Array {
    return this.target.subarray(this.at, this.at + PIECE_BYTES);
  }

  /**
   * The first `count` bytes of `room()` have come.
   *
   * @throws LuvitError("engine") for what is no frame.
   */
  filled(count: number): void {
    this.at += count;
    if (this.at < this.target.length) return;
    if (this.part === "prefix") this.beginHeader();
    else if (this.part === "header") this.beginArrays();
    else this.nextArray();
  }

  /** The same with bytes that have come elsewhere. */
  take(bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.length; ) {
      const room = this.room();
      const piece = bytes.subarray(taken, taken + room.length);
      room.set(piece);
      this.filled(piece.length);
      taken += piece.length;
    }
  }

  /**
   * There is nothing more to come.
   *
   * @throws LuvitError("engine") in the middle of a frame.
   */
  end(): void {
    if (this.part === "prefix" && this.at === 0) return;
    throw malformed(`it ends in the ${this.part}, ${this.target.length - this.at} bytes early`);
  }

  private begin(part: typeof this.part, target: Uint8Array): void {
    [this.part, this.target, this.at] = [part, target, 0];
  }

  private beginHeader(): void {
    const prefix = Buffer.from(this.target);
    const [mark, length] = [prefix.readUInt32LE(0), prefix.readUInt32LE(4)];
    if (mark !== MARK) throw malformed(`it begins with ${prefix.toString("hex")}`);
    if (length === 0 || length > MOST_HEADER_BYTES)
      throw malformed(`its header has ${length} bytes, at most ${MOST_HEADER_BYTES} are allowed`);
    this.begin("header", new Uint8Array(length));
  }

  private beginArrays(): void {
    this.header = parseHeader(this.target, this.mostBytes);
    this.arrays = [];
    this.begin("arrays", new Uint8Array(0));
    this.nextArray();
  }

  /** Makes room for the next array that has any numbers; after the last one the frame is whole. */
  private nextArray(): void {
    const { message, arrays } = this.header;
    while (this.arrays.length < arrays.length) {
      const [, type, length] = arrays[this.arrays.length];
      const array = new arrayTypes[type](length);
      this.arrays.push(array);
      this.begin("arrays", bytesOf(array));
      if (length > 0) return;
    }
    const named = arrays.map(([name], i) => [name, this.arrays[i]]);
    this.arrays = [];
    this.begin("prefix", new Uint8Array(PREFIX_BYTES));
    this.onFrame({ message, arrays: Object.fromEntries(named) });
  }
}

const malformed = (problem: string) =>
  new LuvitError("engine", `engine process: malformed frame: ${problem}`);

function parseHeader(bytes: Uint8Array, mostBytes: number): Header {
  let header: Header;
  try {
    header = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch (error) {
    throw malformed(`its header is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(header?.arrays) || !header.arrays.every(isArrayEntry))
    throw malformed("its header does not list arrays by name, type and length");
  const total = header.arrays.reduce(
    (sum, [, type, length]) => sum + length * arrayTypes[type].BYTES_PER_ELEMENT,
    0,
  );
  if (total > mostBytes) throw malformed(`its arrays have ${total} bytes, at most ${mostBytes} are allowed`);
  return header;
}

function isArrayEntry(entry: unknown): boolean {
  if (!Array.isArray(entry) || entry.length !== 3) return false;
  const [name, type, length] = entry;
  return (
    typeof name === "string" && Object.hasOwn(arrayTypes, type) && Number.isSafeInteger(length) && length >= 0
  );
}
