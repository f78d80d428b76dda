import type { AttentionMaps, LayerAttention } from "../../analysis/attentionMaps";
import { rowWeights } from "../../analysis/quantizedRows";
import { unnormalize } from "../../data/pixels";
import { type ImageFigure, type RgbImage, resizeImage } from "../image";
import { imageGrid } from "../imageGrid";
import { overlayMap } from "../maps";
import type { Grid } from "./browser/payload";
import { layerLabel, middleToken, percent, tokenName } from "./browser/state";

const cell = 192;

/** What is said and drawn of one model where no script runs. */
export interface StaticRow {
  title: string;
  maps: AttentionMaps;
  layer: LayerAttention;
}

/** The image of the sample as the model got it. */
export function imageOf({ sample, grid }: AttentionMaps): RgbImage {
  const patch = Math.round(Math.sqrt(sample.image.length / 3 / (grid.rows * grid.columns)));
  return unnormalize(sample.image, grid.columns * patch, grid.rows * patch);
}

/** Image, attention of the class token and of the patch in the middle, a row per model; mean over heads. */
export async function staticImage(rows: readonly StaticRow[]): Promise<ImageFigure> {
  const drawn = await Promise.all(rows.map(drawRow));
  return imageGrid(
    drawn.map(({ images }) => images),
    {
      columnTitles: ["image, framed patch", "class token looks at", "framed patch looks at"],
      rowLabels: rows.length > 1 ? rows.map(({ title }) => title) : undefined,
      captions: drawn.map(({ captions }) => captions),
      alt: `Attention. ${rows.map(describeRow).join(" ")}`,
      cell,
    },
  );
}

/** The numbers of a row in one sentence. */
export function describeRow({ title, maps: { grid }, layer }: StaticRow): string {
  const query = middleToken(grid);
  const row = meanRow(layer, query);
  const most = strongest(row);
  const place = most === query ? "itself" : `the patch in ${tokenName(most, grid)}`;
  const where = `${layerLabel(layer.layer).long}, mean of ${layer.heads} heads`;
  return `${title}, ${where}: the patch in ${tokenName(query, grid)} looks most at ${place} (${percent(row[most]!)}).`;
}

async function drawRow({ maps, layer }: StaticRow): Promise<{ images: RgbImage[]; captions: string[] }> {
  const { grid } = maps;
  const query = middleToken(grid);
  const size = Math.max(1, Math.round(cell / grid.columns));
  const [width, height] = [size * grid.columns, size * grid.rows];
  const image = imageOf(maps);
  const large = await resizeImage(image, width, height, image.width * 2 <= width ? "nearest" : "lanczos3");
  const looks = async (token: number) => {
    const values = meanRow(layer, token).subarray(1);
    const most = values.reduce((a, b) => Math.max(a, b));
    const map = { width: grid.columns, height: grid.rows, values };
    const overlay = await overlayMap(large, map, { colormap: "magma", alpha: 0.62, range: [0, most] });
    return { image: overlay, caption: `0 – ${percent(most)}` };
  };
  const [ofClass, ofPatch] = [await looks(0), await looks(query)];
  return {
    images: [framed(large, query - 1, grid), ofClass.image, framed(ofPatch.image, query - 1, grid)],
    captions: [layerLabel(layer.layer).long, ofClass.caption, ofPatch.caption],
  };
}

function meanRow(layer: LayerAttention, query: number): Float32Array {
  const tokens = layer.pattern.length;
  const mean = new Float32Array(tokens);
  for (let head = 0; head < layer.heads; head++) {
    const row = rowWeights(layer.pattern, head * tokens + query);
    for (let key = 0; key < tokens; key++) mean[key] += row[key] / layer.heads;
  }
  return mean;
}

function strongest(row: Float32Array): number {
  return row.indexOf(
    row.subarray(1).reduce((a, b) => Math.max(a, b)),
    1,
  );
}

/** The image with a white frame, edged black, around one patch. */
function framed({ data, width, height }: RgbImage, patch: number, { columns }: Grid): RgbImage {
  const copy = Uint8Array.from(data);
  const size = width / columns;
  const [left, top] = [(patch % columns) * size, Math.floor(patch / columns) * size];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const depth = Math.min(x, y, size - 1 - x, size - 1 - y);
      if (depth < 3)
        copy.fill(
          depth === 1 ? 255 : 0,
          3 * ((top + y) * width + left + x),
          3 * ((top + y) * width + left + x) + 3,
        );
    }
  }
  return { data: copy, width, height };
}
