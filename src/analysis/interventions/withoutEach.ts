import type { Tensor } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import type { Context } from "../../nn/context";
import { forAnswer } from "../stages";
import { eachHeadOff } from "./edits";
import type { HeadLayers } from "./heads";

/**
 * Logits [H, K] by layer, of one image [1, 3, height, width] without each of its heads. In one graph what comes before a layer
 * is computed once, what comes behind it once per head, all of them at a time. `means` by layer stand in a head's place,
 * zero without them.
 */
export function logitsWithoutEach(
  model: Classifier,
  image: Tensor,
  { layers, counts }: HeadLayers,
  context: Context,
  means?: ReadonlyMap<string, Tensor>,
): Record<string, Tensor> {
  const without = layers.map((layer, l): [string, Tensor] => {
    const edit = eachHeadOff(layer, counts[l], means?.get(layer));
    return [layer, model.forward(image, { ...context, ...forAnswer(model), edit })];
  });
  return Object.fromEntries(without);
}
