import { formatNumber } from "../figures/format";
import { mapImage, resizeImage, rgbPng } from "../figures/image";
import { dataUrl, escapeHtml } from "./html";
import { bad, muted } from "./styles";
import { tensorImages } from "./tensorImages";
import type { TensorStats } from "./tensorStats";

/** Few enough to be read one by one. */
const mostWritten = 64;

/** Few numbers as they are, images where the shape is that of images, a heat map of a matrix; else nothing. */
export async function tensorView(
  shape: readonly number[],
  values: ArrayLike<number>,
  { min, max }: TensorStats,
): Promise<string> {
  if (isWritten(shape, values)) return writtenValues(shape, values);
  const images = await tensorImages(shape, values, { min, max });
  if (images) return figureHtml(dataUrl("image/png", images.png), images.alt, images.width, images.alt);
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows! < 2 || columns! < 2 || rows! * columns! > 2 ** 22) return "";
  const scale = Math.min(16, Math.max(0.01, Math.min(360 / columns!, 240 / rows!)));
  const cells = mapImage({ width: columns!, height: rows!, values });
  // Grown here, not by the page: that smooths, where it does not trust the style that forbids it.
  const times = Math.max(1, Math.round(scale));
  const png = await rgbPng(await resizeImage(cells, times * columns!, times * rows!, "nearest"));
  const caption = `rows down, columns across; dark ${formatNumber(Number(min.toPrecision(3)))}, bright ${formatNumber(Number(max.toPrecision(3)))}`;
  return figureHtml(
    dataUrl("image/png", png),
    "heat map",
    Math.max(48, Math.round(columns! * scale)),
    caption,
    Math.round(rows! * scale),
  );
}

function figureHtml(url: string, alt: string, width: number, caption: string, height?: number): string {
  const size = `max-width:100%;width:${width}px;${height === undefined ? "height:auto;" : `height:${Math.max(12, height)}px;`}image-rendering:pixelated`;
  return `<div><img src="${url}" alt="${escapeHtml(alt)}" style="display:block;${size}"><div style="${muted};font-size:12px">${escapeHtml(caption)}</div></div>`;
}

/** Whether the numbers themselves are shown. */
export function isWritten(shape: readonly number[], values: ArrayLike<number>): boolean {
  return shape.length <= 2 && values.length <= mostWritten && (shape[1] ?? 1) <= 16;
}

function writtenValues(shape: readonly number[], values: ArrayLike<number>): string {
  const columns = shape.length === 2 ? shape[1]! : Math.min(16, values.length);
  const cells = Array.from({ length: values.length }, (_, index) => {
    const value = values[index]!;
    const text = formatNumber(Number(value.toPrecision(4))).replace("-", "−");
    return `<span style="text-align:right${Number.isFinite(value) ? "" : `;${bad}`}">${text}</span>`;
  });
  return `<div style="display:grid;grid-template-columns:repeat(${columns},max-content);gap:1px 14px">${cells.join("")}</div>`;
}
