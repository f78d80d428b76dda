import { tf } from "../core/tf";
import { Module, Parameter } from "../nn";
import { modelBundle } from "./modelDisplay";
import type { MimeBundle } from "./nbformat";
import { jupyterDisplay } from "./symbols";
import { tensorBundle } from "./tensorDisplay";

type Display<Value> = (value: Value) => MimeBundle | Promise<MimeBundle> | undefined;

/** Gives a class of ours or of tfjs the method by which any kernel shows its values. */
function teach<Value>(type: { prototype: Value }, display: Display<Value>): void {
  const method = function (this: Value) {
    return display(this);
  };
  Object.defineProperty(type.prototype, jupyterDisplay, {
    value: method,
    configurable: true,
    writable: true,
  });
}

teach<Module>(Module as unknown as { prototype: Module }, modelBundle);
teach(Parameter, tensorBundle);
teach(tf.Tensor, (tensor) => {
  const hasNumbers = tensor.dtype !== "string" && tensor.dtype !== "complex64";
  return hasNumbers && !tensor.isDisposed ? tensorBundle(tensor) : undefined;
});
