import type { OnnxType, OnnxValue } from "../builder";
import { OnnxOps, type Operand, type Stride } from "../ops";

/**
 * The same operators where WebGPU runs them: what it has no kernel for, or a wrong one, is written in others.
 */
export class WebgpuOps extends OnnxOps {
  override readonly engine = "onnxruntime webgpu";
  override readonly advice = 'use provider "cpu"';
  /** onnxruntime 1.30 writes the mean there (tests/upstream has a model of one node). */
  override readonly givesInverseRms = false;

  override fusedProduct(a: Operand, b: Operand, alpha: number, type: OnnxType): OnnxValue {
    const [left, right] = [a, b].map(({ value, transposed }) => (transposed ? this.swapped(value) : value));
    return this.make("MatMul", [this.mul(left, alpha), right], type);
  }

  override logSoftmax(x: OnnxValue): OnnxValue {
    const shifted = this.sub(x, this.reduce("ReduceMax", x, [-1], true));
    return this.sub(shifted, this.unary("Log", this.sum(this.unary("Exp", shifted), [-1], true)));
  }

  override sign(x: OnnxValue): OnnxValue {
    const [one, zero, less] = [1, 0, -1].map((number) => this.scalar(number, x.dtype));
    const notAbove = this.where(this.compare("Less", x, 0), less, zero);
    return this.where(this.compare("Greater", x, 0), one, notAbove);
  }

  /** Its Div of whole numbers goes towards zero. */
  override wholeRemainder(a: OnnxValue, b: OnnxValue): OnnxValue {
    const rest = this.sub(a, this.mul(this.div(a, b), b));
    const otherSign = this.compare("Less", this.mul(this.sign(rest), this.sign(b)), 0);
    return this.where(otherSign, this.add(rest, b), rest);
  }

  /** The last two axes in each other's place. */
  private swapped(x: OnnxValue): OnnxValue {
    const rank = x.shape.length;
    return this.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
  }

  /** Its Slice takes wrong numbers when it goes backwards. */
  override sliceAlong(x: OnnxValue, stride: Stride): OnnxValue {
    const { axis, start, step, length } = stride;
    if (step > 0) return super.sliceAlong(x, stride);
    return this.gather(
      x,
      Array.from({ length }, (_, i) => start + step * i),
      axis,
    );
  }
}
