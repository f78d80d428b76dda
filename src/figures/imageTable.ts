import { dataUrl, escapeHtml } from "./html";
import type { RgbImage } from "./image";

/** An image of a table of images, with words above and below it. */
export interface ImageCell {
  image: RgbImage;
  above?: string;
  below?: string;
}

/** Rows of images for a page. */
export interface ImageTable {
  rows: readonly (readonly (ImageCell | undefined)[])[];
  columnTitles?: readonly string[];
  rowLabels?: readonly string[];
  /** Most pixels that an image is wide. */
  cell: number;
  /** What all of it shows. */
  alt: string;
  /** HTML below the rows. */
  foot?: string;
}

const gap = 6;
const words = "font:12px/1.35 system-ui,sans-serif;opacity:.78;white-space:normal;overflow-wrap:anywhere";
const bare = "border:0;background:none;vertical-align:top;text-align:center";

/**
 * Rows of images as a table of HTML: where the page is narrow the images shrink, and the words keep their size. Needs
 * neither scripts nor a style sheet.
 */
export async function imageTable(table: ImageTable): Promise<string> {
  const { rows, columnTitles, rowLabels, cell, alt, foot = "" } = table;
  const columns = Math.max(...rows.map((row) => row.length));
  const labels = rowLabels !== undefined;
  const body = await Promise.all(
    rows.map(async (row, y) => {
      const cells = await Promise.all(row.map((one, x) => cellHtml(one, columnTitles?.[x] ?? "")));
      const label = labels ? head(rowLabels[y] ?? "", "row") : "";
      return `<tr style="background:none">${label}${cells.join("")}</tr>`;
    }),
  );
  const titles = columnTitles?.map((title) => head(title, "col")).join("") ?? "";
  const top = columnTitles
    ? `<tr style="background:none">${labels ? `<td style="${bare}"></td>` : ""}${titles}</tr>`
    : "";
  const width = columns * (cell + gap) + (labels ? 80 : 0);
  const look = `display:table;table-layout:fixed;border:0;border-spacing:0;border-collapse:collapse;margin:0;width:100%;max-width:${width}px`;
  return `<div class="luvit-image" style="max-width:${width}px"><table aria-label="${escapeHtml(alt)}" style="${look}">${top}${body.join("")}</table>${foot}</div>`;
}

function head(text: string, scope: "row" | "col"): string {
  const place = scope === "row" ? "vertical-align:middle" : "vertical-align:bottom";
  return `<th scope="${scope}" style="${bare};${place};padding:2px ${gap / 2}px;font-weight:400"><span style="${words}">${escapeHtml(text)}</span></th>`;
}

async function cellHtml(cell: ImageCell | undefined, title: string): Promise<string> {
  if (!cell) return `<td style="${bare}"></td>`;
  const { image, above = "", below = "" } = cell;
  const alt = [title, above, below].filter(Boolean).join(", ");
  const line = (text: string) => (text === "" ? "" : `<div style="${words}">${escapeHtml(text)}</div>`);
  const shown = `<img src="${await webpUrl(image)}" alt="${escapeHtml(alt)}" width="${image.width}" height="${image.height}" style="display:block;width:100%;height:auto;margin:0;border-radius:0">`;
  return `<td style="${bare};padding:0 ${gap / 2}px ${gap}px">${line(above)}${shown}${line(below)}</td>`;
}

async function webpUrl({ data, width, height }: RgbImage): Promise<string> {
  const { default: sharp } = await import("sharp");
  const webp = await sharp(data, { raw: { width, height, channels: 3 } })
    .webp({ lossless: true, effort: 0 })
    .toBuffer();
  return dataUrl("image/webp", webp);
}
