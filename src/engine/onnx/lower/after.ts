import { sizeOf } from "../../../core/hostTensor";
import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

/** x times a one that onnxruntime cannot know before it has the signal: exact for every number, NaN among them. */
function after(call: Call): OnnxValue {
  const { ops } = call;
  const signal = call.input("signal");
  const axes = signal.shape.map((_, axis) => axis);
  const all = (value: number) => ops.integers(axes.map(() => value));
  const shape = axes.map(() => 1);
  const first =
    sizeOf(signal.shape) === 1
      ? signal
      : ops.make("Slice", [signal, all(0), all(1), ops.integers(axes)], { shape, dtype: signal.dtype });
  const isPositive = ops.binary("Greater", ops.reshape(first, []), ops.scalar(0), "bool");
  const one = ops.make("Where", [isPositive, ops.scalar(1), ops.scalar(1)], { shape: [], dtype: "float32" });
  return ops.mul(call.input("x"), one);
}

/** What recomputation waits for. */
export const waiting: Rules = { LuvitAfter: after };
