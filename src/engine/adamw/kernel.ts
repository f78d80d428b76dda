import {
  type CompiledFunctions,
  compileFunctions,
  createMemory,
  type FunctionCode,
  get,
  instantiate,
  PAGE_BYTES,
  set,
  simd,
} from "../../core/wasm/binary";

/*
 * AdamW over arrays in one WebAssembly memory, four numbers at a time. Inside an ONNX graph the same update takes some
 * seven times as long at the size of a ViT-B, and a loop in JavaScript as well.
 */

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
/** What 32-bit addresses reach. */
export const MOST_BYTES = 2 ** 32 - PAGE_BYTES;

let compiled: CompiledFunctions | undefined;

/** A memory of a fixed size, so that views into it stay good. */
export function createAdamWMemory(bytes: number): AdamWMemory {
  const memory = createMemory(bytes);
  compiled ??= compileFunctions([updateFunction()]);
  const { update: run } = instantiate(compiled, memory);
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

function updateFunction(): FunctionCode {
  const spread = Array.from({ length: NUMBERS }, (_, i) => [...get(number(i)), ...SPLAT, ...set(lanes(i))]);
  const loop = [0x03, 0x40, ...groupBody(), ...get(G), ...get(END), 0x49, 0x0d, 0, 0x0b];
  const parameters = [...Array<number>(5).fill(0x7f), ...Array<number>(NUMBERS).fill(0x7d)];
  return {
    name: "update",
    type: [0x60, parameters.length, ...parameters, 0],
    body: [1, NUMBERS + 3, 0x7b, ...spread.flat(), ...loop, 0x0b],
  };
}
