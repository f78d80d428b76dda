import { paintedImage } from "../support";

export const painted = (width: number, height: number) =>
  paintedImage(width, height, (x, y) => [
    (7 + 31 * x + 5 * y) % 256,
    (200 + 11 * x * y) % 256,
    (255 - 17 * x + 40 * y) & 255,
  ]);

export const small = painted(5, 3);
