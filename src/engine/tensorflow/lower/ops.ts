import { sizeOf } from "../../../core/hostTensor";
import { broadcastShapes } from "../../../graph/shapes/rule";
import { sameShape } from "../../../graph/values";
import type { Ops } from "../../lower";
import type { TfAttributes, TfDtype } from "../graphDef";
import { type CallOptions, TfBuilder, type TfValue } from "./builder";

/** What a binary op of one known operand leaves unchanged: x + 0, x - 0, x * 1, x / 1. */
const neutralRight: Record<string, number> = { AddV2: 0, Sub: 0, Mul: 1, RealDiv: 1 };
const neutralLeft: Record<string, number> = { AddV2: 0, Mul: 1 };

const widths: Partial<Record<TfDtype, number>> = { bool: 0, int32: 1, float32: 2 };

/** The TensorFlow ops the rules are written in, with their shape rules. */
export class TfOps extends TfBuilder implements Ops<TfValue> {
  readonly engine = "tensorflow";
  private readonly reshapeSource = new Map<string, TfValue>();

  /** An op that works number by number. */
  unary(op: string, x: TfValue, { attributes, after }: CallOptions = {}): TfValue {
    const typed = { T: { type: x.dtype }, ...attributes } as TfAttributes;
    return this.make(op, [x], x, { attributes: typed, after });
  }

  /** Broadcasts as NumPy does; the narrower element type is widened. */
  binary(
    op: string,
    left: TfValue,
    right: TfValue,
    options: CallOptions & { dtype?: TfDtype } = {},
  ): TfValue {
    const wider = widths[left.dtype]! > widths[right.dtype]! ? left.dtype : right.dtype;
    const [a, b] = [this.cast(left, wider), this.cast(right, wider)];
    const shape = broadcastShapes(a.shape, b.shape);
    if (b.number !== undefined && b.number === neutralRight[op] && sameShape(shape, a.shape)) return a;
    if (a.number !== undefined && a.number === neutralLeft[op] && sameShape(shape, b.shape)) return b;
    const attributes: TfAttributes = op.startsWith("Logical") ? {} : { T: { type: wider } };
    return this.make(
      op,
      [a, b],
      { shape, dtype: options.dtype ?? wider },
      { attributes, after: options.after },
    );
  }

  add(a: TfValue, b: TfValue | number, options?: CallOptions): TfValue {
    return this.binary("AddV2", a, this.operand(b), options);
  }

  sub(a: TfValue, b: TfValue | number, options?: CallOptions): TfValue {
    return this.binary("Sub", a, this.operand(b), options);
  }

  mul(a: TfValue, b: TfValue | number, options?: CallOptions): TfValue {
    return this.binary("Mul", a, this.operand(b), options);
  }

  div(a: TfValue, b: TfValue | number): TfValue {
    return this.binary("RealDiv", a, this.operand(b));
  }

  sqrt(x: TfValue): TfValue {
    return this.unary("Sqrt", x);
  }

  square(x: TfValue): TfValue {
    return this.unary("Square", x);
  }

  softmax(x: TfValue): TfValue {
    return this.unary("Softmax", x);
  }

  logSoftmax(x: TfValue): TfValue {
    return this.unary("LogSoftmax", x);
  }

  sum(x: TfValue, axes: readonly number[], keepDims: boolean): TfValue {
    return this.reduce("Sum", x, axes, keepDims);
  }

  mean(x: TfValue, axes: readonly number[], keepDims: boolean): TfValue {
    return this.reduce("Mean", x, axes, keepDims);
  }

  cast(x: TfValue, dtype: TfDtype, options: CallOptions = {}): TfValue {
    if (x.dtype === dtype) return x;
    if (x.number !== undefined && dtype === "float32") return this.scalar(x.number);
    const attributes = { SrcT: { type: x.dtype }, DstT: { type: dtype } };
    return this.make("Cast", [x], { shape: x.shape, dtype }, { attributes, after: options.after });
  }

  /** The same bits as numbers of another type of the same width. */
  bitcast(x: TfValue, dtype: TfDtype): TfValue {
    if (x.dtype === dtype) return x;
    const attributes = { T: { type: x.dtype }, type: { type: dtype } };
    return this.make("Bitcast", [x], { shape: x.shape, dtype }, { attributes });
  }

  /** The bytes of int32 numbers [N]: uint8 [N, 4]. */
  bytesOf(x: TfValue): TfValue {
    const attributes = { T: { type: x.dtype }, type: { type: "uint8" } } as const;
    return this.make("Bitcast", [x], { shape: [...x.shape, 4], dtype: "uint8" }, { attributes });
  }

  /** A reshape of a reshape is one reshape. */
  reshape(x: TfValue, shape: readonly number[]): TfValue {
    const source = this.reshapeSource.get(x.name) ?? x;
    if (sameShape(source.shape, shape)) return source;
    const result = this.make(
      "Reshape",
      [source, this.integers(shape)],
      { shape, dtype: x.dtype },
      typed(x, "Tshape"),
    );
    this.reshapeSource.set(result.name, source);
    return result;
  }

  transpose(x: TfValue, perm: readonly number[]): TfValue {
    if (perm.every((axis, i) => axis === i)) return x;
    const shape = perm.map((axis) => x.shape[axis]);
    return this.make("Transpose", [x, this.integers(perm)], { shape, dtype: x.dtype }, typed(x, "Tperm"));
  }

  /** `x` written out to its full shape. */
  expand(x: TfValue, shape: readonly number[]): TfValue {
    if (sizeOf(x.shape) === sizeOf(shape)) return this.reshape(x, shape);
    return this.make("BroadcastTo", [x, this.integers(shape)], { shape, dtype: x.dtype }, typed(x, "Tidx"));
  }

  /** Sum, Mean, Max, All, …; axes may count from the end. */
  reduce(op: string, x: TfValue, axes: readonly number[], keepDims: boolean): TfValue {
    const reduced = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
    const kept = x.shape.map((length, axis) => (reduced.includes(axis) ? 1 : length));
    const shape = keepDims ? kept : x.shape.filter((_, axis) => !reduced.includes(axis));
    if (sameShape(kept, x.shape)) return this.reshape(x, shape);
    const { attributes } = typed(x, "Tidx");
    const { T, ...untyped } = attributes;
    const own = op === "All" || op === "Any" ? untyped : attributes;
    const options = { attributes: { ...own, keep_dims: { flag: keepDims } } };
    return this.make(op, [x, this.integers(reduced)], { shape, dtype: x.dtype }, options);
  }

  /** Mean over the last axis, which stays with length 1. */
  rowMean(x: TfValue): TfValue {
    return this.mean(x, [-1], true);
  }

  /** `x` [..., D] as a matrix [rows, D]. */
  rows(x: TfValue): TfValue {
    const width = x.shape.at(-1)!;
    return this.reshape(x, [sizeOf(x.shape) / width, width]);
  }

  /** Sum of the rows of `x` [..., D] -> [D]. */
  sumRows(x: TfValue): TfValue {
    const rows = this.rows(x);
    return this.make(
      "BiasAddGrad",
      [rows],
      { shape: rows.shape.slice(1), dtype: x.dtype },
      {
        attributes: { T: { type: x.dtype }, data_format: { text: "NHWC" } },
      },
    );
  }

  /** x [..., D] + row [D]. */
  addRow(x: TfValue, row: TfValue): TfValue {
    const attributes = { T: { type: x.dtype }, data_format: { text: "NHWC" } };
    return this.reshape(this.make("BiasAdd", [this.rows(x), row], this.rows(x), { attributes }), x.shape);
  }

  /** Parts of different types become float32. */
  concat(given: readonly TfValue[], axis: number): TfValue {
    if (given.length === 1) return given[0];
    const alike = given.every(({ dtype }) => dtype === given[0].dtype);
    const parts = alike ? given : given.map((part) => this.cast(part, "float32"));
    const [first] = parts;
    const joined = axis < 0 ? axis + first.shape.length : axis;
    const shape = [...first.shape];
    shape[joined] = parts.reduce((sum, part) => sum + part.shape[joined], 0);
    const { attributes } = typed(first, "Tidx");
    const operands = [...parts, this.scalar(joined, "int32")];
    const options = { attributes: { ...attributes, N: { integer: parts.length } } };
    return this.make("ConcatV2", operands, { shape, dtype: first.dtype }, options);
  }

  /** Consecutive pieces of the given lengths along one axis. */
  split(x: TfValue, lengths: readonly number[], axis: number): TfValue[] {
    if (lengths.length === 1) return [x];
    const results = lengths.map((length) => ({
      shape: x.shape.map((whole, i) => (i === axis ? length : whole)),
      dtype: x.dtype,
    }));
    const { attributes } = typed(x, "Tlen");
    const operands = [x, this.integers(lengths), this.scalar(axis, "int32")];
    return this.call("SplitV", operands, results, {
      attributes: { ...attributes, num_split: { integer: lengths.length } },
    });
  }

  /** `lengths` numbers along each axis from `starts` on. */
  slice(x: TfValue, starts: readonly number[], lengths: readonly number[]): TfValue {
    if (sameShape(lengths, x.shape)) return x;
    const operands = [x, this.integers(starts), this.integers(lengths)];
    return this.make("Slice", operands, { shape: lengths, dtype: x.dtype }, typed(x, "Index"));
  }

  /** As many numbers as `lengths` says, `strides` apart, from `starts` on, perhaps backwards. */
  stridedSlice(
    x: TfValue,
    starts: readonly number[],
    strides: readonly number[],
    lengths: readonly number[],
  ): TfValue {
    const ends = starts.map((start, axis) => start + strides[axis] * lengths[axis]);
    // An end before the first element would count from the back.
    const open = ends.reduce((mask, end, axis) => (end < 0 ? mask | (1 << axis) : mask), 0);
    const { attributes } = typed(x, "Index");
    const operands = [x, this.integers(starts), this.integers(ends), this.integers(strides)];
    const options = { attributes: { ...attributes, end_mask: { integer: open } } };
    return this.make("StridedSlice", operands, { shape: lengths, dtype: x.dtype }, options);
  }

  /** Numbers added before and after each axis. */
  pad(x: TfValue, paddings: readonly (readonly [number, number])[], filling: number): TfValue {
    if (paddings.every(([before, after]) => before === 0 && after === 0)) return x;
    const shape = x.shape.map((length, axis) => paddings[axis][0] + length + paddings[axis][1]);
    const places = this.store([paddings.length, 2], "int32", Int32Array.from(paddings.flat()));
    const operands = [x, places, this.scalar(filling, x.dtype)];
    return this.make("PadV2", operands, { shape, dtype: x.dtype }, typed(x, "Tpaddings"));
  }

  private operand(x: TfValue | number): TfValue {
    return typeof x === "number" ? this.scalar(x) : x;
  }
}

/** Attributes of an op over `x` whose places are int32. */
export function typed(x: TfValue, ...placeTypes: string[]): { attributes: TfAttributes } {
  const places = placeTypes.map((name) => [name, { type: "int32" }]);
  return { attributes: { T: { type: x.dtype }, ...Object.fromEntries(places) } };
}
