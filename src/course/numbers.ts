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

const hasShapeOf = (a: Numbers, b: Numbers) =>
  a.values.length === b.values.length && String(a.shape) === String(b.shape);

/** The largest difference, relative to the largest number; infinite for other shapes, and where only one is no number. */
export function distance(a: Numbers, b: Numbers): number {
  if (!hasShapeOf(a, b)) return Number.POSITIVE_INFINITY;
  const scale = Math.max(1e-6, ...b.values.filter(Number.isFinite).map(Math.abs));
  const differences = a.values.map((value, i) => {
    if (Object.is(value, b.values[i])) return 0;
    const difference = Math.abs(value - b.values[i]);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  });
  return Math.max(0, ...differences) / scale;
}

/** Short words for numbers: "[0.25, 0.75]", "a list of 3 × 4 numbers". */
export function inWords({ shape, values }: Numbers): string {
  const short = (value: number) => String(Number(value.toPrecision(4)));
  if (shape.length === 0) return short(values[0]);
  if (values.length > 12) return `${shape.join(" × ")} numbers`;
  const rows = (depth: number, from: number, count: number): string => {
    if (depth === shape.length) return short(values[from]);
    const size = count / shape[depth];
    const members = Array.from({ length: shape[depth] }, (_, i) => rows(depth + 1, from + i * size, size));
    return `[${members.join(", ")}]`;
  };
  return rows(0, 0, values.length);
}
