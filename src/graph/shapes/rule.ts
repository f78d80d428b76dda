import type { GraphAttributes, GraphDtype } from "../ir";

/** What a shape rule sees and gives of a tensor. */
export interface ValueInfo {
  readonly shape: readonly number[];
  readonly dtype: GraphDtype;
}

/** One kernel call, before it is recorded. */
export interface KernelCall {
  /** Operands by the kernel's input names. */
  readonly inputs: Readonly<Record<string, ValueInfo>>;
  /** Every operand in order; for kernels that take a list. */
  readonly list: readonly ValueInfo[];
  readonly attributes: GraphAttributes;
}

export interface KernelResult {
  readonly outputs: readonly ValueInfo[];
  /** Attributes in full where the call left something to be worked out (negative axes, -1 in shapes). */
  readonly attributes?: GraphAttributes;
}

/** Shapes of a kernel's results. A rule throws a plain Error saying what does not fit; the recorder adds the place. */
export type ShapeRule = (call: KernelCall) => KernelResult;

export type ShapeRules = Readonly<Record<string, ShapeRule>>;

/** An axis counted from the front. */
export function positiveAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new Error(`axis is ${axis}, expected ${-rank} to ${rank - 1}`);
  }
  return positive;
}

/** Axes counted from the front, in order; undefined or null means all. */
export function positiveAxes(axes: unknown, rank: number): number[] {
  if (axes === undefined || axes === null) return Array.from({ length: rank }, (_, i) => i);
  const list = Array.isArray(axes) ? (axes as number[]) : [axes as number];
  return list.map((axis) => positiveAxis(axis, rank)).sort((a, b) => a - b);
}

/** Shape two operands broadcast to, NumPy's rule. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [left, right] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (left !== right && left !== 1 && right !== 1) {
      throw new Error(`[${a}] and [${b}] do not broadcast`);
    }
    return left === 1 ? right : left;
  });
}
