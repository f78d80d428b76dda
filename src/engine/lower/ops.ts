import { sizeOf } from "../../core/hostTensor";

/** A value of an engine's graph under construction. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** The number it holds, where that is known and the same everywhere. */
  readonly number?: number;
}

/** One number, however many axes it has. */
export const isSingle = ({ shape }: Pick<Value, "shape">): boolean => sizeOf(shape) === 1;

/** What both engines can write, each in its own operators. Operands broadcast as NumPy's do; axes may count from the end. */
export interface Ops<V extends Value> {
  /** Whose they are, for messages. */
  readonly engine: string;
  scalar(number: number, dtype?: V["dtype"]): V;
  store(shape: readonly number[], dtype: V["dtype"], data: Float32Array | Int32Array | Uint8Array): V;
  add(a: V, b: V | number): V;
  sub(a: V, b: V | number): V;
  mul(a: V, b: V | number): V;
  div(a: V, b: V | number): V;
  sqrt(x: V): V;
  square(x: V): V;
  /** Over the last axis. */
  softmax(x: V): V;
  /** Over the last axis. */
  logSoftmax(x: V): V;
  sum(x: V, axes: readonly number[], keepDims: boolean): V;
  mean(x: V, axes: readonly number[], keepDims: boolean): V;
  cast(x: V, dtype: V["dtype"]): V;
  reshape(x: V, shape: readonly number[]): V;
  transpose(x: V, perm: readonly number[]): V;
  /** `x` written out to its full shape. */
  expand(x: V, shape: readonly number[]): V;
  /** `lengths` of `x` along each axis, from `starts` on. */
  slice(x: V, starts: readonly number[], lengths: readonly number[]): V;
  concat(parts: readonly V[], axis: number): V;
  /** Consecutive pieces of the given lengths along one axis. */
  split(x: V, lengths: readonly number[], axis: number): V[];
}
