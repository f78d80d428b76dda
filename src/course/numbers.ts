import { tf } from "../core/tf";

/** Numbers with their shape, as answers are compared. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** Lists in lists that are looked into; an answer may be a list that holds itself. */
const DEEPEST = 8;

/** A number, a truth value, (nested) lists of them, or a tensor that is still there; undefined for everything else. */
export function numbersOf(value: unknown, depth = 0): Numbers | undefined {
  if (typeof value === "number") return { shape: [], values: [value] };
  if (typeof value === "boolean") return { shape: [], values: [Number(value)] };
  if (value instanceof tf.Tensor)
    return value.isDisposed ? undefined : { shape: value.shape, values: [...value.dataSync()] };
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return numbersOf([...(value as unknown as Iterable<number>)]);
  if (!Array.isArray(value) || depth === DEEPEST) return undefined;
  const members = value.map((member) => numbersOf(member, depth + 1));
  if (members.some((member) => member === undefined)) return undefined;
  const all = members as Numbers[];
  const inner = all[0]?.shape ?? [];
  if (all.some(({ shape }) => String(shape) !== String(inner))) return undefined;
  return { shape: [value.length, ...inner], values: all.flatMap(({ values }) => values) };
}

export const hasShapeOf = (a: Numbers, b: Numbers): boolean =>
  a.values.length === b.values.length && String(a.shape) === String(b.shape);

/** Below this a number counts as zero. */
const LEAST = 1e-6;

/** The largest difference, relative to the largest number; infinite for other shapes, and where only one is no number. */
export function distance(a: Numbers, b: Numbers): number {
  const scale = Math.max(LEAST, ...b.values.filter(Number.isFinite).map(Math.abs));
  return largest(a, b, () => scale);
}

/** The largest difference, each relative to its own number; otherwise as `distance`. */
export const farthest = (a: Numbers, b: Numbers): number =>
  largest(a, b, (value) => Math.max(LEAST, Math.abs(value)));

function largest(a: Numbers, b: Numbers, scaleOf: (value: number) => number): number {
  if (!hasShapeOf(a, b)) return Number.POSITIVE_INFINITY;
  const relative = a.values.map((value, i) => {
    const difference = differenceOf(value, b.values[i]);
    // The scale of what is no finite number says nothing.
    return difference === 0 || difference === Number.POSITIVE_INFINITY
      ? difference
      : difference / scaleOf(b.values[i]);
  });
  return Math.max(0, ...relative);
}

function differenceOf(a: number, b: number): number {
  if (Object.is(a, b)) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/** More numbers than these are not written out. */
const SHOWN = 12;

/** "[0, 1], expected [1, 0]", and of many numbers the one that is farthest off: "0 at [2, 3], expected 1". */
export function differenceInWords(given: Numbers, expected: Numbers): string {
  if (expected.values.length <= SHOWN || !hasShapeOf(given, expected))
    return `${inWords(given)}, expected ${inWords(expected)}`;
  const off = given.values.map((value, i) => differenceOf(value, expected.values[i]));
  const worst = off.indexOf(Math.max(...off));
  const place = expected.shape.map((size, axis) => {
    const inner = expected.shape.slice(axis + 1).reduce((product, one) => product * one, 1);
    return Math.floor(worst / inner) % size;
  });
  return `${short(given.values[worst])} at [${place.join(", ")}], expected ${short(expected.values[worst])}`;
}

const short = (value: number) => String(Number(value.toPrecision(4)));

/** Short words for numbers: "[0.25, 0.75]", "a list of 3 × 4 numbers". */
export function inWords({ shape, values }: Numbers): string {
  if (shape.length === 0) return short(values[0]);
  if (values.length > SHOWN) return `${shape.join(" × ")} numbers`;
  const rows = (depth: number, from: number, count: number): string => {
    if (depth === shape.length) return short(values[from]);
    const size = count / shape[depth];
    const members = Array.from({ length: shape[depth] }, (_, i) => rows(depth + 1, from + i * size, size));
    return `[${members.join(", ")}]`;
  };
  return rows(0, 0, values.length);
}
