import { sizeOf } from "../../../core/hostTensor";
import { broadcastShapes } from "../../../graph/shapes/rule";
import { sameShape } from "../../../graph/values";
import type { Ops } from "../../lower";
import { elementTypes, type OnnxAttributes, type OnnxDtype } from "../model";
import { OnnxBuilder, type OnnxType, type OnnxValue } from "./builder";

/** What a binary op of one known operand leaves unchanged: x + 0, x - 0, x * 1, x / 1. */
const neutralRight: Record<string, number> = { Add: 0, Sub: 0, Mul: 1, Div: 1 };
const neutralLeft: Record<string, number> = { Add: 0, Mul: 1 };

/** A factor of a product. */
export interface Operand {
  value: OnnxValue;
  /** Whether its last two axes change places first. */
  transposed: boolean;
}

/** How one axis is walked along. */
export interface Stride {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly length: number;
}

/** Below every index: the end of a slice that runs backwards through the first element. */
const BEFORE_THE_FIRST = -(2 ** 31);

/** The ONNX operators the rules are written in, with their shape rules. */
export class OnnxOps extends OnnxBuilder implements Ops<OnnxValue> {
  readonly engine: string = "onnxruntime";
  /** For graphs with ops that have no rule; undefined where there is nothing special to say. */
  readonly advice: string | undefined = undefined;
  /** Whether SimplifiedLayerNormalization (RMSNorm) gives 1 / root of the mean square as its second result. */
  readonly givesInverseRms: boolean = true;
  private readonly reshapeSource = new Map<string, OnnxValue>();
  private readonly vectors = new Map<string, OnnxValue>();

  unary(op: string, x: OnnxValue, attributes: OnnxAttributes = {}): OnnxValue {
    return this.make(op, [x], { shape: x.shape, dtype: x.dtype }, attributes);
  }

  /** A comparison or test: yes or no for every number. */
  compare(op: "Equal" | "Greater" | "Less", a: OnnxValue, b: OnnxValue | number): OnnxValue {
    return this.binary(op, a, typeof b === "number" ? this.scalar(b, a.dtype) : b, "bool");
  }

  /** `yes` where the condition holds, else `no`. */
  where(condition: OnnxValue, yes: OnnxValue, no: OnnxValue): OnnxValue {
    const shape = broadcastShapes(condition.shape, broadcastShapes(yes.shape, no.shape));
    return this.make("Where", [condition, yes, no], { shape, dtype: yes.dtype });
  }

  /** Broadcasts as NumPy does. */
  binary(op: string, a: OnnxValue, b: OnnxValue, dtype: OnnxDtype = a.dtype): OnnxValue {
    const shape = broadcastShapes(a.shape, b.shape);
    if (b.number !== undefined && b.number === neutralRight[op] && sameShape(shape, a.shape)) return a;
    if (a.number !== undefined && a.number === neutralLeft[op] && sameShape(shape, b.shape)) return b;
    return this.make(op, [a, b], { shape, dtype });
  }

  add(a: OnnxValue, b: OnnxValue | number): OnnxValue {
    return this.binary("Add", a, this.operand(a, b));
  }

  sub(a: OnnxValue, b: OnnxValue | number): OnnxValue {
    return this.binary("Sub", a, this.operand(a, b));
  }

  mul(a: OnnxValue, b: OnnxValue | number): OnnxValue {
    return this.binary("Mul", a, this.operand(a, b));
  }

  div(a: OnnxValue, b: OnnxValue | number): OnnxValue {
    return this.binary("Div", a, this.operand(a, b));
  }

  sqrt(x: OnnxValue): OnnxValue {
    return this.unary("Sqrt", x);
  }

  /** What is left of a division of whole numbers, with the sign of the divisor. */
  wholeRemainder(a: OnnxValue, b: OnnxValue): OnnxValue {
    return this.binary("Mod", a, b);
  }

  /** -1, 0 or 1. */
  sign(x: OnnxValue): OnnxValue {
    return this.unary("Sign", x);
  }

  square(x: OnnxValue): OnnxValue {
    return this.mul(x, x);
  }

  softmax(x: OnnxValue): OnnxValue {
    return this.unary("Softmax", x, { axis: -1 });
  }

  logSoftmax(x: OnnxValue): OnnxValue {
    return this.unary("LogSoftmax", x, { axis: -1 });
  }

  sum(x: OnnxValue, axes: readonly number[], keepDims: boolean): OnnxValue {
    return this.reduce("ReduceSum", x, axes, keepDims);
  }

  mean(x: OnnxValue, axes: readonly number[], keepDims: boolean): OnnxValue {
    return this.reduce("ReduceMean", x, axes, keepDims);
  }

  /** alpha a b for stacks of matrices. */
  fusedProduct(a: Operand, b: Operand, alpha: number, type: OnnxType): OnnxValue {
    const attributes = {
      transA: a.transposed ? 1 : 0,
      transB: b.transposed ? 1 : 0,
      alpha: { float: alpha },
    };
    return this.make("FusedMatMul", [a.value, b.value], type, attributes, "com.microsoft");
  }

  /** 1 / sqrt(x). */
  rsqrt(x: OnnxValue): OnnxValue {
    return this.unary("Reciprocal", this.sqrt(x));
  }

  cast(x: OnnxValue, dtype: OnnxDtype): OnnxValue {
    if (x.dtype === dtype) return x;
    if (x.number !== undefined && (dtype === "float32" || dtype === "float16"))
      return this.scalar(x.number, dtype);
    return this.make("Cast", [x], { shape: x.shape, dtype }, { to: elementTypes[dtype] });
  }

  /** A reshape of a reshape is one reshape. */
  reshape(x: OnnxValue, shape: readonly number[]): OnnxValue {
    const source = this.reshapeSource.get(x.name) ?? x;
    if (sameShape(source.shape, shape)) return source;
    const result = this.make("Reshape", [source, this.integers(shape)], { shape, dtype: x.dtype });
    this.reshapeSource.set(result.name, source);
    return result;
  }

  transpose(x: OnnxValue, perm: readonly number[]): OnnxValue {
    if (perm.every((axis, i) => axis === i)) return x;
    return this.make(
      "Transpose",
      [x],
      { shape: perm.map((axis) => x.shape[axis]), dtype: x.dtype },
      { perm },
    );
  }

  /** From `begin` on, as many as `size` says along each axis. */
  slice(x: OnnxValue, begin: readonly number[], size: readonly number[]): OnnxValue {
    const axes = size.map((_, axis) => axis).filter((axis) => size[axis] !== x.shape[axis]);
    if (axes.length === 0) return x;
    const ends = axes.map((axis) => begin[axis] + size[axis]);
    const operands = [
      this.integers(axes.map((axis) => begin[axis])),
      this.integers(ends),
      this.integers(axes),
    ];
    return this.make("Slice", [x, ...operands], { shape: size, dtype: x.dtype });
  }

  /** Every `step`-th of one axis from `start` on, `length` in all; backwards where the step is negative. */
  sliceAlong(x: OnnxValue, { axis, start, step, length }: Stride): OnnxValue {
    if (start === 0 && step === 1 && length === x.shape[axis]) return x;
    const end = start + step * length;
    const places = [start, end < 0 ? BEFORE_THE_FIRST : end, axis, step].map((place) =>
      this.integers([place]),
    );
    return this.make("Slice", [x, ...places], this.withLength(x, axis, length));
  }

  /** The places of one axis that `indices` names. */
  gather(x: OnnxValue, indices: readonly number[], axis: number): OnnxValue {
    const places = this.store([indices.length], "int32", Int32Array.from(indices));
    return this.make("Gather", [x, places], this.withLength(x, axis, indices.length), { axis });
  }

  /** `x` written out to its full shape. */
  expand(x: OnnxValue, shape: readonly number[]): OnnxValue {
    if (sizeOf(x.shape) === sizeOf(shape)) return this.reshape(x, shape);
    return this.make("Expand", [x, this.integers(shape)], { shape, dtype: x.dtype });
  }

  /** ReduceSum, ReduceMean, ReduceMax, …; axes may count from the end. */
  reduce(op: string, x: OnnxValue, axes: readonly number[], keepDims: boolean): OnnxValue {
    const reduced = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
    const kept = x.shape.map((length, axis) => (reduced.includes(axis) ? 1 : length));
    const shape = keepDims ? kept : x.shape.filter((_, axis) => !reduced.includes(axis));
    if (sameShape(kept, x.shape)) return this.reshape(x, shape);
    const operands = [x, this.integers(reduced)];
    return this.make(op, operands, { shape, dtype: x.dtype }, { keepdims: keepDims ? 1 : 0 });
  }

  /** Mean over the last axis, which stays with length 1. */
  rowMean(x: OnnxValue): OnnxValue {
    return this.mean(x, [-1], true);
  }

  /** `x` [..., D] as a matrix [rows, D]. */
  rows(x: OnnxValue): OnnxValue {
    const width = x.shape.at(-1)!;
    return this.reshape(x, [sizeOf(x.shape) / width, width]);
  }

  /** Sum of the rows of `x` [..., D] -> [D]. A row of ones times the matrix: twice as fast as ReduceSum here. */
  sumRows(x: OnnxValue): OnnxValue {
    const matrix = this.rows(x);
    const [count, width] = matrix.shape;
    const ones = this.filled([1, count], 1);
    const sum = this.make("MatMul", [ones, matrix], { shape: [1, width], dtype: x.dtype });
    return this.reshape(sum, [width]);
  }

  /** One number everywhere, written out for operators that do not broadcast. */
  filled(shape: readonly number[], number: number, dtype: "float32" | "uint8" = "float32"): OnnxValue {
    const key = `${dtype} ${shape} ${number}`;
    const size = sizeOf(shape);
    const array = dtype === "float32" ? new Float32Array(size) : new Uint8Array(size);
    const vector = this.vectors.get(key) ?? this.store(shape, dtype, array.fill(number));
    this.vectors.set(key, vector);
    return vector;
  }

  concat(parts: readonly OnnxValue[], axis: number): OnnxValue {
    if (parts.length === 1) return parts[0];
    const [first] = parts;
    const joined = axis < 0 ? axis + first.shape.length : axis;
    const shape = [...first.shape];
    shape[joined] = parts.reduce((sum, part) => sum + part.shape[joined], 0);
    return this.make("Concat", parts, { shape, dtype: first.dtype }, { axis: joined });
  }

  /** Consecutive pieces of the given lengths along one axis. */
  split(x: OnnxValue, lengths: readonly number[], axis: number): OnnxValue[] {
    if (lengths.length === 1) return [x];
    const results = lengths.map((length) => ({
      shape: x.shape.map((whole, i) => (i === axis ? length : whole)),
      dtype: x.dtype,
    }));
    return this.call("Split", [x, this.integers(lengths)], results, { axis });
  }

  private withLength(x: OnnxValue, axis: number, length: number): OnnxType {
    return { shape: x.shape.map((whole, i) => (i === axis ? length : whole)), dtype: x.dtype };
  }

  /** A number as `a` has them. */
  private operand({ dtype }: OnnxValue, x: OnnxValue | number): OnnxValue {
    return typeof x === "number" ? this.scalar(x, dtype) : x;
  }
}
