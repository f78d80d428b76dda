import { LuvitError } from "../../core/errors";
import type { RgbImage } from "../pixels";
import type { Draws } from "./draws";
import { type Layer, mapLayer, toLayer } from "./image";

const frosts = [
  { image: 1, frost: 0.4 },
  { image: 0.8, frost: 0.6 },
  { image: 0.7, frost: 0.7 },
  { image: 0.65, frost: 0.7 },
  { image: 0.6, frost: 0.75 },
];

/** The original has six photographs and draws one of the first five. */
const drawn = 5;

/**
 * Adds a random part of one of the given photographs of frost.
 *
 * @throws LuvitError("bad-argument") without a large enough one.
 */
export function frost(
  image: RgbImage,
  severity: number,
  draws: Draws,
  photographs: readonly RgbImage[] = [],
): Layer {
  const { width, height } = image;
  const count = Math.min(photographs.length, drawn);
  if (count === 0) {
    throw new LuvitError(
      "bad-argument",
      "frost needs photographs of frost, which are not part of this library: give a folder of them, e.g. the " +
        "frost*.png and frost*.jpg that come with the original generator",
    );
  }
  const photograph = photographs[draws.integer(0, count)];
  if (photograph.width <= width || photograph.height <= height) {
    const sizes = `${photograph.width} x ${photograph.height} pixels, the image ${width} x ${height}`;
    throw new LuvitError("bad-argument", `frost: a photograph has ${sizes}; it must be larger`);
  }
  const top = draws.integer(0, photograph.height - height);
  const left = draws.integer(0, photograph.width - width);
  const shares = frosts[severity - 1];
  return mapLayer(toLayer(image), (byte, i) => {
    const pixel = Math.floor(i / 3);
    const at = (top + Math.floor(pixel / width)) * photograph.width + left + (pixel % width);
    return Math.min(255, shares.image * byte + shares.frost * photograph.data[3 * at + (i % 3)]);
  });
}
