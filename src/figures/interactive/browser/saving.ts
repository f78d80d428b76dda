import { makeCanvas, penOf } from "../../browser/dom";
import { download } from "../../browser/download";

/** Offers a drawing as `figure.svg`. */
export function saveSvg(svg: string, place: HTMLElement): void {
  download(new Blob([svg], { type: "image/svg+xml" }), "figure.svg", place);
}

/** Offers a drawing as `figure.png`, twice its size. */
export async function savePng(
  svg: string,
  { width, height }: { width: number; height: number },
  place: HTMLElement,
): Promise<void> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = makeCanvas(2 * width, 2 * height);
  penOf(canvas).drawImage(image, 0, 0, 2 * width, 2 * height);
  canvas.toBlob((blob) => blob && download(blob, "figure.png", place), "image/png");
}
