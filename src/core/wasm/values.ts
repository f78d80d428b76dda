import { leb, signedLeb, simd } from "./binary";

/*
 * Expressions of WebAssembly with types: `a.plus(b).shiftedLeft(2)` instead of bytes in stack order. An expression is the
 * bytes that leave its value on the stack. Reference: WebAssembly Core Specification 2.0, chapter 5.4.
 */

/** Bytes of instructions. */
export type Code = readonly number[];

const zeroAlignment = 0;
const memory = (opcode: Code, offset: number): Code => [...opcode, zeroAlignment, ...leb(offset)];

abstract class Value {
  constructor(readonly code: Code) {}
}

const codeOf = (value: I32 | number): Code => (typeof value === "number" ? i32(value).code : value.code);

/** A 32-bit integer: a number, an address in bytes, or a truth. */
export class I32 extends Value {
  private binary = (opcode: number, other: I32 | number) => new I32([...this.code, ...codeOf(other), opcode]);

  plus = (other: I32 | number) => this.binary(0x6a, other);
  minus = (other: I32 | number) => this.binary(0x6b, other);
  times = (other: I32 | number) => this.binary(0x6c, other);
  and = (other: I32 | number) => this.binary(0x71, other);
  or = (other: I32 | number) => this.binary(0x72, other);
  xor = (other: I32 | number) => this.binary(0x73, other);
  shiftedLeft = (bits: I32 | number) => this.binary(0x74, bits);
  /** Arithmetic shift. */
  shiftedRight = (bits: I32 | number) => this.binary(0x75, bits);
  /** Logical shift. */
  shiftedRightUnsigned = (bits: I32 | number) => this.binary(0x76, bits);
  equals = (other: I32 | number) => this.binary(0x46, other);
  below = (other: I32 | number) => this.binary(0x48, other);
  above = (other: I32 | number) => this.binary(0x4a, other);
  atLeast = (other: I32 | number) => this.binary(0x4e, other);
  /** The smaller of the two; both are evaluated twice. */
  atMost = (other: I32) => new I32([...this.code, ...other.code, ...this.below(other).code, 0x1b]);
  isZero = () => new I32([...this.code, 0x45]);
  toI64 = () => new I64([...this.code, 0xad]);
  toF64 = () => new F64([...this.code, 0xb7]);
  /** The number in every lane. */
  inBytes = () => new V128([...this.code, ...simd(0x0f)]);
  inShorts = () => new V128([...this.code, ...simd(0x10)]);
  inLanes = () => new V128([...this.code, ...simd(0x11)]);

  loadByte = (offset = 0) => new I32([...this.code, ...memory([0x2d], offset)]);
  loadShort = (offset = 0) => new I32([...this.code, ...memory([0x2e], offset)]);
  load = (offset = 0) => new I32([...this.code, ...memory([0x28], offset)]);
  loadI64 = (offset = 0) => new I64([...this.code, ...memory([0x29], offset)]);
  loadF32 = (offset = 0) => new F32([...this.code, ...memory([0x2a], offset)]);
  loadF64 = (offset = 0) => new F64([...this.code, ...memory([0x2b], offset)]);
  loadVector = (offset = 0) => new V128([...this.code, ...memory(simd(0x00), offset)]);
  /** Eight bytes, unsigned, as eight 16-bit lanes. */
  loadBytesAsShorts = (offset = 0) => new V128([...this.code, ...memory(simd(0x02), offset)]);
  /** Four bytes repeated in every lane. */
  loadInLanes = (offset = 0) => new V128([...this.code, ...memory(simd(0x09), offset)]);

  storeByte = (value: I32, offset = 0): Code => [...this.code, ...value.code, ...memory([0x3a], offset)];
  storeShort = (value: I32, offset = 0): Code => [...this.code, ...value.code, ...memory([0x3b], offset)];
  storeF32 = (value: F32, offset = 0): Code => [...this.code, ...value.code, ...memory([0x38], offset)];
  store = (value: I32, offset = 0): Code => [...this.code, ...value.code, ...memory([0x36], offset)];
  storeI64 = (value: I64, offset = 0): Code => [...this.code, ...value.code, ...memory([0x37], offset)];
  storeVector = (value: V128, offset = 0): Code => [
    ...[...this.code, ...value.code],
    ...memory(simd(0x0b), offset),
  ];
  /** The lower (0) or upper (1) eight bytes. */
  storeHalf = (value: V128, half: 0 | 1): Code => [
    ...[...this.code, ...value.code],
    ...[...memory(simd(0x5b), 0), half],
  ];
}

/** A 64-bit integer. Of a number of bits to shift by the lowest six count. */
export class I64 extends Value {
  or = (other: I64) => new I64([...this.code, ...other.code, 0x84]);
  shiftedLeft = (bits: I64) => new I64([...this.code, ...bits.code, 0x86]);
  shiftedRightUnsigned = (bits: I64) => new I64([...this.code, ...bits.code, 0x88]);
  toI32 = () => new I32([...this.code, 0xa7]);
}

/** Single precision: only moved about. */
export class F32 extends Value {}

/** Double precision. */
export class F64 extends Value {
  plus = (other: F64) => new F64([...this.code, ...other.code, 0xa0]);
  minus = (other: F64) => new F64([...this.code, ...other.code, 0xa1]);
  times = (other: F64) => new F64([...this.code, ...other.code, 0xa2]);
  atLeast = (other: F64) => new I32([...this.code, ...other.code, 0x66]);
  below = (other: F64) => new I32([...this.code, ...other.code, 0x63]);
  floor = () => new F64([...this.code, 0x9c]);
  /** Cut to an integer; of a number beyond its range the nearest. */
  toI32 = () => new I32([...this.code, 0xfc, 2]);
  inDoubles = () => new V128([...this.code, ...simd(0x14)]);
}

/** Added to a whole number of up to 21 bits, it leaves that number in the lowest bits of the sum. */
const WHOLE = 1.5 * 2 ** 23;
const WHOLE_BITS = 0x4b400000;

/** Sixteen bytes in lanes of any width. */
export class V128 extends Value {
  private binary = (opcode: number, other: V128) => new V128([...this.code, ...other.code, ...simd(opcode)]);
  private unary = (opcode: number) => new V128([...this.code, ...simd(opcode)]);
  private shift = (opcode: number, bits: number) =>
    new V128([...this.code, ...i32(bits).code, ...simd(opcode)]);

  /** Lane by lane, all bits where it holds. */
  equalBytes = (other: V128) => this.binary(0x23, other);
  /** Bits of this one where the other has none. */
  without = (other: V128) => this.binary(0x4f, other);
  and = (other: V128) => this.binary(0x4e, other);
  or = (other: V128) => this.binary(0x50, other);
  xor = (other: V128) => this.binary(0x51, other);
  /** Bits of this one where the mask has some, else of the other. */
  chosen = (other: V128, mask: V128) => new V128([...this.code, ...other.code, ...mask.code, ...simd(0x52)]);
  plusBytes = (other: V128) => this.binary(0x6e, other);
  anyTrue = () => new I32([...this.code, ...simd(0x53)]);
  /** The highest bit of every byte, or of every 32-bit lane, the first one lowest. */
  bitsOfBytes = () => new I32([...this.code, ...simd(0x64)]);
  bitsOfLanes = () => new I32([...this.code, ...simd(0xa4)]);
  /** Bytes of this one by the given positions; 128 and above give zero. */
  picked = (positions: V128) => this.binary(0x0e, positions);
  /** Bytes of this one (0 … 15) and the other (16 … 31). */
  mixed = (other: V128, positions: readonly number[]) =>
    new V128([...this.code, ...other.code, ...simd(0x0d), ...positions]);

  /** Lanes of so many bytes of this one and the other in turn: of their lower halves (0), or of their upper ones (1). */
  inTurn = (other: V128, width: number, half: number) =>
    this.mixed(
      other,
      Array.from({ length: 16 }, (_, i) => {
        const lane = Math.floor(i / width);
        return 16 * (lane % 2) + 8 * half + width * (lane >> 1) + (i % width);
      }),
    );

  plusShorts = (other: V128) => this.binary(0x8e, other);
  minusShorts = (other: V128) => this.binary(0x91, other);
  timesShorts = (other: V128) => this.binary(0x95, other);
  /** (a b + 2^14) >> 15 in 16-bit lanes. */
  timesFractions = (other: V128) => this.binary(0x82, other);
  shortsShiftedLeft = (bits: number) => this.shift(0x8b, bits);
  shortsShiftedRightUnsigned = (bits: number) => this.shift(0x8d, bits);
  /** Eight lower, or upper, unsigned bytes as 16-bit lanes. */
  lowBytesAsShorts = () => this.unary(0x89);
  highBytesAsShorts = () => this.unary(0x8a);

  plus = (other: V128) => this.binary(0xae, other);
  minus = (other: V128) => this.binary(0xb1, other);
  shiftedLeft = (bits: number) => this.shift(0xab, bits);
  shiftedRight = (bits: number) => this.shift(0xac, bits);
  below = (other: V128) => this.binary(0x39, other);
  shiftedRightUnsigned = (bits: number) => this.shift(0xad, bits);
  lowShortsAsLanes = () => this.unary(0xa7);
  highShortsAsLanes = () => this.unary(0xa8);
  /** Products of 16-bit lanes, neighbors added: four 32-bit lanes. */
  dot = (other: V128) => this.binary(0xba, other);
  /** 32-bit lanes of both, clipped to signed 16 bits. */
  narrowedToShorts = (other: V128) => this.binary(0x85, other);
  /** 16-bit lanes of both, clipped to signed, or to unsigned, bytes. */
  narrowedToSignedBytes = (other: V128) => this.binary(0x65, other);
  narrowedToBytes = (other: V128) => this.binary(0x66, other);

  /** Lanes of single precision. */
  toFloats = () => this.unary(0xfa);
  /** Of lanes without a sign. */
  unsignedToFloats = () => this.unary(0xfb);
  plusFloats = (other: V128) => this.binary(0xe4, other);
  minusFloats = (other: V128) => this.binary(0xe5, other);
  timesFloats = (other: V128) => this.binary(0xe6, other);
  dividedByFloats = (other: V128) => this.binary(0xe7, other);
  floatsBelow = (other: V128) => this.binary(0x43, other);
  roots = () => this.unary(0xe3);
  magnitudes = () => this.unary(0xe0);
  /** To whole numbers, halves to even ones. */
  rounded = () => this.unary(0x6a);
  /** The whole numbers at or below, as integers; good for magnitudes below 2^21. */
  floored = () =>
    this.unary(0x68)
      .plusFloats(floats(Array(4).fill(WHOLE)))
      .minus(i32(WHOLE_BITS).inLanes());

  /** Lanes of double precision. */
  plusDoubles = (other: V128) => this.binary(0xf0, other);
  minusDoubles = (other: V128) => this.binary(0xf1, other);
  timesDoubles = (other: V128) => this.binary(0xf2, other);
  /** The two lower 32-bit lanes as doubles. */
  toDoubles = () => this.unary(0xfe);
  /** Doubles cut to the two lower 32-bit lanes, zeros above; of a number beyond their range the nearest. */
  cutToLanes = () => this.unary(0xfc);
  /** Doubles as the two lower lanes of single precision, zeros above. */
  toSingles = () => this.unary(0x5e);
  flooredDoubles = () => this.unary(0x75);
  doublesAtLeast = (other: V128) => this.binary(0x4c, other);
  doublesBelow = (other: V128) => this.binary(0x49, other);

  lane = (index: number) => new I32([...this.code, ...simd(0x1b), index]);
  firstLane = () => this.lane(0);
}

export const i32 = (value: number) => new I32([0x41, ...signedLeb(value)]);
export const f64 = (value: number) => new F64([0x44, ...new Uint8Array(Float64Array.of(value).buffer)]);

/** Sixteen constant bytes. */
export const bytes = (values: ArrayLike<number>) => new V128([...simd(0x0c), ...Array.from(values)]);
/** Four constant lanes of single precision. */
export const floats = (values: readonly number[]) => bytes(new Uint8Array(Float32Array.from(values).buffer));
/** Eight constant 16-bit lanes. */
export const shorts = (values: readonly number[]) => bytes(new Uint8Array(Int16Array.from(values).buffer));
