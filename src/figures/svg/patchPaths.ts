import type { GridMap } from "../image";
import { px } from "./text";

/** Lines between the patches of a grid that fills a size. */
export function patchLines({ width: columns, height: rows }: GridMap, width: number, height: number): string {
  const down = Array.from(
    { length: columns - 1 },
    (_, i) => `M${px(((i + 1) * width) / columns)} 0V${height}`,
  );
  const across = Array.from({ length: rows - 1 }, (_, i) => `M0 ${px(((i + 1) * height) / rows)}H${width}`);
  return [...down, ...across].join("");
}

/** The border of the patches whose value is 1, each edge once; the image's own border included. */
export function maskOutline(
  { width: columns, height: rows, values }: GridMap,
  width: number,
  height: number,
): string {
  const isObject = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < columns && y < rows && values[y * columns + x] === 1;
  const [x0, y0] = [(x: number) => px((x * width) / columns), (y: number) => px((y * height) / rows)];
  let path = "";
  for (let y = 0; y <= rows; y++) {
    for (let x = 0; x <= columns; x++) {
      if (isObject(x, y) !== isObject(x - 1, y)) path += `M${x0(x)} ${y0(y)}V${y0(y + 1)}`;
      if (isObject(x, y) !== isObject(x, y - 1)) path += `M${x0(x)} ${y0(y)}H${x0(x + 1)}`;
    }
  }
  return path;
}
