import { type Canvas, type Element, makeCanvas, type Picture, page } from "../../browser/dom";
import { download } from "../../browser/download";

/** Offers a drawing as `figure.svg`. */
export function saveSvg(svg: string, place: Element): void {
  download(new page.Blob([svg], { type: "image/svg+xml" }), "figure.svg", place);
}

/** Offers a drawing as `figure.png`, twice its size. */
export async function savePng(
  svg: string,
  { width, height }: { width: number; height: number },
  place: Element,
): Promise<void> {
  const image: Picture = new page.Image();
  image.src = `data:image/svg+xml;charset=utf-8,${page.encodeURIComponent(svg)}`;
  await image.decode();
  const canvas: Canvas = makeCanvas(2 * width, 2 * height);
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  canvas.toBlob((blob) => blob && download(blob, "figure.png", place), "image/png");
}
