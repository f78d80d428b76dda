import type { PatchMaps } from "../analysis/attentionEntropy";
import { checkOptions, list, object, shaped } from "../core/options";
import { unnormalize } from "../data/pixels";
import type { GridMap, ImageFigure, RgbImage } from "./image";
import { type MapColumn, mapGrid } from "./maps";
import { cellOptions } from "./options";
import { type OverlaysOptions, overlays, overlaysOptions } from "./overlays";

const patchMap = shaped<PatchMaps>("maps of an image, from analysis.patchMaps", "sample", "norm", "entropy");

/**
 * Figure 3 of the paper: each image beside its foreground cells (where known; the others dimmed), the L2 norm of its patch tokens and the
 * entropy of their attention, both with their own range written below.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * luvit.show(await luvit.figures.entropyMaps(await luvit.analysis.patchMaps(model, images.take(2))));
 */
export function entropyMaps(
  maps: readonly PatchMaps[],
  options: { cell?: number } = {},
): Promise<ImageFigure> {
  checkOptions("entropyMaps", list(patchMap, 1), maps);
  checkOptions("entropyMaps", cellOptions, options);
  const grid = (values: (map: PatchMaps) => ArrayLike<number>) => maps.map((map) => gridOf(map, values(map)));
  const columns: MapColumn[] = [{ title: "image", images: maps.map(imageOf) }];
  if (maps.every((map) => map.sample.foreground)) {
    columns.push({ title: "foreground", images: maps.map(foregroundOf) });
  }
  columns.push({ title: "patch norm", maps: grid((map) => map.norm), colormap: "magma" });
  columns.push({ title: "attention entropy", maps: grid((map) => map.entropy), unit: "nats" });
  return mapGrid({ columns, ...options });
}

const { alpha, cell, columns, range, titles } = overlaysOptions.optional;
const entropyOverlaysOptions = object({}, { alpha, cell, columns, range, titles });

/** The attention entropy of each patch over its image, all on one scale, the object outlined where it is known. */
export function entropyOverlays(
  maps: readonly PatchMaps[],
  options: Partial<Pick<OverlaysOptions, "alpha" | "cell" | "columns" | "range" | "titles">> = {},
): Promise<ImageFigure> {
  checkOptions("entropyOverlays", list(patchMap, 1), maps);
  checkOptions("entropyOverlays", entropyOverlaysOptions, options);
  return overlays({
    images: maps.map(imageOf),
    maps: maps.map((map) => gridOf(map, map.entropy)),
    masks: maps.map((map) => map.sample.foreground && gridOf(map, map.sample.foreground)),
    zTitle: "attention entropy (nats)",
    ...options,
  });
}

function imageOf({ sample: { image }, shape }: PatchMaps): RgbImage {
  return unnormalize(image, shape.width, shape.height);
}

/** The image with every patch dimmed that is not the object's. */
function foregroundOf(map: PatchMaps): RgbImage {
  const { width, height, data } = imageOf(map);
  const dimmed = Uint8Array.from(data, (value, index) => {
    const [x, y] = [Math.floor(index / 3) % width, Math.floor(index / 3 / width)];
    const { rows, columns } = map.grid;
    const patch = Math.floor((y * rows) / height) * columns + Math.floor((x * columns) / width);
    return map.sample.foreground![patch] === 1 ? value : 0.22 * value;
  });
  return { width, height, data: dimmed };
}

function gridOf({ grid }: PatchMaps, values: ArrayLike<number>): GridMap {
  return { width: grid.columns, height: grid.rows, values };
}
