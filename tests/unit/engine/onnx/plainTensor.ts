import type { OnnxTensor } from "../../../../src/engine/onnx/runtime";

/** A tensor that only holds its array. */
export class PlainTensor implements OnnxTensor {
  readonly location = "cpu";
  constructor(
    readonly type: string,
    readonly data: OnnxTensor["data"],
    readonly dims: readonly number[],
  ) {}
  dispose(): void {}
}
