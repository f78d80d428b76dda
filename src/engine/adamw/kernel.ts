/*
 * AdamW over arrays in one WebAssembly memory, four numbers at a time. Inside an ONNX graph the same update takes some
 * seven times as long at the size of a ViT-B, and a loop in JavaScript as well.
 */

/** The part of the WebAssembly API used here; TypeScript declares it with the DOM only. */
declare namespace WebAssembly {
  class Memory {
    constructor(size: { initial: number });
    readonly buffer: ArrayBuffer;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: object);
    readonly exports: Record<string, unknown>;
  }
}

/** Numbers of one update; the parameter becomes w keep - step m / (sqrt(v) inverseRoot + eps). */
export interface UpdateNumbers {
  beta1: number;
  beta2: number;
  keep: number;
  step: number;
  /** 1 / sqrt(1 - beta2^t). */
  inverseRoot: number;
  eps: number;
}

/** Where the four arrays of an update begin, in bytes, and how many numbers each has: a multiple of LANES. */
export interface UpdatePlace {
  parameter: number;
  average: number;
  squares: number;
  gradient: number;
  length: number;
}

export interface AdamWMemory {
  readonly buffer: ArrayBuffer;
  update(place: UpdatePlace, numbers: UpdateNumbers): void;
}

export const LANES = 4;
const PAGE_BYTES = 65536;
/** What 32-bit addresses reach. */
export const MOST_BYTES = 2 ** 32 - PAGE_BYTES;

let compiled: WebAssembly.Module | undefined;

/** A memory of a fixed size, so that views into it stay good. */
export function createAdamWMemory(bytes: number): AdamWMemory {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  compiled ??= new WebAssembly.Module(encodeModule());
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const run = instance.exports.update as (...numbers: number[]) => void;
  return {
    buffer: memory.buffer,
    update({ parameter, average, squares, gradient, length }, numbers) {
      const { beta1, beta2, keep, step, inverseRoot, eps } = numbers;
      if (length === 0) return;
      const end = gradient + 4 * length;
      const rates = [beta1, 1 - beta1, beta2, 1 - beta2, keep, step, inverseRoot, eps];
      run(parameter, average, squares, gradient, end, ...rates);
    },
  };
}

// Locals: byte addresses, numbers, then vectors: each number in every lane, and the three arrays' current lanes.
const [W, M, V, G, END] = [0, 1, 2, 3, 4];
const NUMBERS = 8;
const number = (index: number) => 5 + index;
const lanes = (index: number) => 5 + NUMBERS + index;
const [BETA1, GAIN1, BETA2, GAIN2, KEEP, STEP, INVERSE_ROOT, EPS] = Array.from({ length: NUMBERS }, (_, i) =>
  lanes(i),
);
const [GRADIENT, MEAN, SQUARE] = [0, 1, 2].map((i) => lanes(NUMBERS + i));

const leb = (value: number): number[] => {
  const low = value & 127;
  return value < 128 ? [low] : [low | 128, ...leb(value >>> 7)];
};
const simd = (opcode: number) => [0xfd, ...leb(opcode)];
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const load = (address: number) => [...get(address), ...simd(0), 2, 0];
const store = (address: number, value: number) => [...get(address), ...get(value), ...simd(11), 2, 0];
const SPLAT = simd(0x13);
const ROOT = simd(0xe3);
const [ADD, SUBTRACT, MULTIPLY, DIVIDE] = [0xe4, 0xe5, 0xe6, 0xe7].map(simd);
const times = (a: number[], b: number[]) => [...a, ...b, ...MULTIPLY];
const plus = (a: number[], b: number[]) => [...a, ...b, ...ADD];
const advance = (address: number) => [...get(address), 0x41, 4 * LANES, 0x6a, ...set(address)];

/** One group of lanes: moments, then the parameter. */
function groupBody(): number[] {
  const squared = times(get(GRADIENT), get(GRADIENT));
  const mean = plus(times(load(M), get(BETA1)), times(get(GRADIENT), get(GAIN1)));
  const square = plus(times(load(V), get(BETA2)), times(squared, get(GAIN2)));
  const denominator = plus(times([...get(SQUARE), ...ROOT], get(INVERSE_ROOT)), get(EPS));
  const change = [...times(get(MEAN), get(STEP)), ...denominator, ...DIVIDE];
  const parameter = [...times(load(W), get(KEEP)), ...change, ...SUBTRACT];
  return [
    ...[...load(G), ...set(GRADIENT), ...mean, ...set(MEAN), ...square, ...set(SQUARE)],
    ...[...parameter, ...set(GRADIENT)],
    ...[...store(M, MEAN), ...store(V, SQUARE), ...store(W, GRADIENT)],
    ...[W, M, V, G].flatMap(advance),
  ];
}

function functionBody(): number[] {
  const spread = Array.from({ length: NUMBERS }, (_, i) => [...get(number(i)), ...SPLAT, ...set(lanes(i))]);
  const loop = [0x03, 0x40, ...groupBody(), ...get(G), ...get(END), 0x49, 0x0d, 0, 0x0b];
  return [1, NUMBERS + 3, 0x7b, ...spread.flat(), ...loop, 0x0b];
}

function encodeModule(): Uint8Array {
  const section = (id: number, bytes: number[]) => [id, ...leb(bytes.length), ...bytes];
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  const body = functionBody();
  const parameters = [...Array(5).fill(0x7f), ...Array(NUMBERS).fill(0x7d)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 0]),
    ...section(2, [1, ...text("env"), ...text("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("update"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}
