import type { Tensor } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import type { Context } from "../../nn/context";
import { isLensSite } from "./lens";

/** The residual stream by place. */
export function residuals(model: Classifier, images: Tensor, context: Context): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  const tap = (name: string, value: Tensor) => {
    if (isLensSite(name)) found.set(name, value);
  };
  model.forward(images, { ...context, tap });
  return found;
}
