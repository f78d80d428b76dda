import { LuvitError } from "../core/errors";
import type { Tensor } from "../core/tf";
import type { Tap } from "../nn/context";

/** A tap that receives every attention pattern [B, H, T, T] with the name of its layer: "blocks.11", "llama.layers.0". */
export function tapPatterns(receive: (layer: string, pattern: Tensor) => void): Tap {
  return (name, value) => {
    const layer = /^(.*)\.(?:attn|attention)\.pattern$/.exec(name)?.[1];
    if (layer) receive(layer, value);
  };
}

/** @throws LuvitError("bad-argument") naming every layer that is asked for and not there. */
export function expectLayers(
  where: string,
  wanted: readonly string[] | undefined,
  found: readonly string[],
): void {
  const unknown = (wanted ?? []).filter((layer) => !found.includes(layer));
  if (unknown.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: no layer named ${unknown.join(", ")}; this model has: ${found.join(", ")}`,
  );
}
