import type { Classifier } from "../../models/classifier";
import { expectLayers } from "../patterns";
import { stagesOf } from "../stages";

/** A head of a layer: "blocks.3", "llama.layers.0"; counted from 0. */
export interface HeadPlace {
  readonly layer: string;
  readonly head: number;
}

/** Layers with attention and how many heads each has. */
export interface HeadLayers {
  readonly layers: readonly string[];
  readonly counts: readonly number[];
  /** Heads of the layer that has most. */
  readonly most: number;
  readonly places: readonly HeadPlace[];
}

/** @throws LuvitError("bad-argument") for layers the model does not have. */
export function headsOf(model: Classifier, where: string, wanted?: readonly string[]): HeadLayers {
  const { blocks, fusion } = model.encoder;
  const all = stagesOf(model).map(({ layer }) => layer);
  expectLayers(where, wanted, all);
  const layers = all.filter((layer) => wanted?.includes(layer) ?? true);
  const counts = layers.map((layer) => {
    const index = Number(layer.slice(layer.lastIndexOf(".") + 1));
    return layer.startsWith("llama.") ? fusion!.llama!.config.heads : blocks[index].attn.heads;
  });
  const places = layers.flatMap((layer, l) =>
    Array.from({ length: counts[l] }, (_, head) => ({ layer, head })),
  );
  return { layers, counts, most: Math.max(...counts), places };
}

/** A gate [L × H] with all heads open but those given. */
export function closed({ layers, most }: HeadLayers, ...places: readonly HeadPlace[]): Float32Array {
  const gate = new Float32Array(layers.length * most).fill(1);
  for (const { layer, head } of places) gate[layers.indexOf(layer) * most + head] = 0;
  return gate;
}
