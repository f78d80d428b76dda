import type { EngineOptions } from "../../engine";
import type { Classifier } from "../../models/classifier";
import type { Context } from "../../nn/context";
import { openForward } from "../../train/forward";
import type { ImageShape } from "../graphsByShape";
import { forAnswer } from "../stages";
import { gateHeads } from "./edits";
import { closed, type HeadLayers, type HeadPlace, headsOf } from "./heads";

/** One image in a classifier whose heads can be switched off, one or several at a time. */
export interface HeadGates {
  readonly heads: HeadLayers;
  /** Logits [K] with these heads' values zero at the input of the output projection; with none, the model's own. */
  without(...places: readonly HeadPlace[]): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** An image, and how its positions are made where it is not the model's own square. */
export interface GatedImage extends ImageShape {
  /** [3, height, width]. */
  readonly data: Float32Array;
  readonly context: Context;
}

/** Gets the gates of an image ready: one graph that serves every choice of heads. */
export async function openHeadGates(
  where: string,
  model: Classifier,
  { data, height, width, context }: GatedImage,
  engine: EngineOptions = {},
): Promise<HeadGates> {
  const heads = headsOf(model, where);
  const [images, gate] = [
    { data, shape: [1, 3, height, width] },
    { shape: [heads.layers.length, heads.most] },
  ];
  const forward = await openForward(
    where,
    model,
    {
      inputs: { images: { shape: images.shape }, gate },
      body: (fed) => {
        const edit = gateHeads(heads.layers, fed.gate);
        return { logits: model.forward(fed.images, { ...context, ...forAnswer(model), edit }) };
      },
    },
    engine,
  );
  return {
    heads,
    without: async (...places) => {
      const { logits } = await forward.run({ images, gate: { data: closed(heads, ...places), ...gate } });
      return logits;
    },
    dispose: () => forward.dispose(),
  };
}
