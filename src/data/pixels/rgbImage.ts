import { such } from "../../core/options";
import { has } from "../options";

/** An image in host memory: `data` holds RGB bytes [H, W, 3], rows from the top. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export const image = such<RgbImage>(
  "an image { data, width, height }",
  (value) => has(value, "data", "width", "height") && ArrayBuffer.isView((value as RgbImage).data),
);
