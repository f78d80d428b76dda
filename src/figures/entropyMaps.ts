import type { PatchMaps } from "../analysis/attentionEntropy";
import { unnormalize } from "../data/transforms";
import { type MapColumn, mapGrid } from "./maps";
import type { Picture } from "./picture";

/**
 * Figure 3 of the paper: each image beside its foreground cells (where known), the L2 norm of its patch tokens and the
 * entropy of their attention, both with their own range written below.
 */
export function entropyMaps(maps: readonly PatchMaps[], options: { cell?: number } = {}): Promise<Picture> {
  const grid = (values: (map: PatchMaps) => ArrayLike<number>) =>
    maps.map((map) => ({ width: map.grid, height: map.grid, values: values(map) }));
  const side = (map: PatchMaps) => Math.round(Math.sqrt(map.sample.image.length / 3));
  const images = maps.map((map) => unnormalize(map.sample.image, side(map), side(map)));
  const columns: MapColumn[] = [{ title: "image", images }];
  if (maps.every((map) => map.sample.foreground)) {
    columns.push({ title: "foreground", maps: grid((map) => map.sample.foreground!), range: [0, 1] });
  }
  columns.push({ title: "patch norm", maps: grid((map) => map.norm), colormap: "magma" });
  columns.push({ title: "attention entropy", maps: grid((map) => map.entropy), unit: "nats" });
  return mapGrid({ columns, ...options });
}
