import type { Rng } from "../../../core/rng";
import type { Canvas } from "./canvas";
import { enhanceBrightness, enhanceColor, enhanceContrast } from "./enhance";
import { gaussianBlur } from "./gaussianBlur";
import { turnHue } from "./hue";

/** What torchvision's ColorJitter changes. */
const changes = {
  brightness: enhanceBrightness,
  contrast: enhanceContrast,
  saturation: enhanceColor,
  hue: turnHue,
} as const satisfies Record<string, (canvas: Canvas, factor: number) => void>;

export type ColorChange = keyof typeof changes;

/** Drawn changes of an image's colors, in this order. */
export interface ColorDraws {
  readonly jitter: readonly (readonly [change: ColorChange, factor: number])[];
  readonly gray: boolean;
  /** Standard deviation of a Gaussian in pixels. */
  readonly blur?: number;
}

const order: readonly ColorChange[] = ["brightness", "contrast", "saturation", "hue"];

/**
 * Jitter of brightness, contrast and saturation (factors 0.2 to 1.8) and hue (a fifth of the circle either way) in random
 * order, 8 times in 10; gray 2 times in 10; a blur of 0.1 to 2 pixels half of the time.
 *
 * Reference: LUSSeg/ImageNetSegModel util/datasets.py.
 */
export function drawColors(rng: Rng): ColorDraws {
  const isJittered = rng.uniform() < 0.8;
  const shuffled = [...rng.permutation(order.length)].map((i) => order[i]);
  const jitter = shuffled.map((change) => {
    return [change, change === "hue" ? rng.between(-0.2, 0.2) : rng.between(0.2, 1.8)] as const;
  });
  const gray = rng.uniform() < 0.2;
  const [isBlurred, blur] = [rng.uniform() < 0.5, rng.between(0.1, 2)];
  return { jitter: isJittered ? jitter : [], gray, ...(isBlurred && { blur }) };
}

export function applyColors(canvas: Canvas, { jitter, gray, blur }: ColorDraws): void {
  for (const [change, factor] of jitter) {
    if (change === "hue" || factor !== 1) changes[change](canvas, factor);
  }
  if (gray) grayOut(canvas);
  if (blur !== undefined) gaussianBlur(canvas, blur);
}

/** Pillow's gray in all three channels. */
export function grayOut(canvas: Canvas): void {
  const { address } = canvas.settled();
  const bytes = canvas.memory.bytes(address, 3 * canvas.pixelCount);
  for (let at = 0; at < bytes.length; at += 3) {
    const gray = (19595 * bytes[at] + 38470 * bytes[at + 1] + 7471 * bytes[at + 2] + 32768) >> 16;
    bytes.fill(gray, at, at + 3);
  }
}
