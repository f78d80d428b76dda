import type { Canvas } from "./canvas";

/* Pillow's HSV of 8 bits each, there and back. Reference: Pillow 12 src/libImaging/Convert.c. */

const { fround } = Math;

/**
 * Turns the hue by a share (-0.5 to 0.5) of the circle, as torchvision does to Pillow's images: also where nothing is
 * turned, the way through 8 bits changes colors a little.
 */
export function turnHue(canvas: Canvas, share: number): void {
  const { address } = canvas.settled();
  const bytes = canvas.memory.bytes(address, 3 * canvas.pixelCount);
  const turn = Math.trunc(255 * share) & 255;
  for (let at = 0; at < bytes.length; at += 3) {
    const [red, green, blue] = [bytes[at], bytes[at + 1], bytes[at + 2]];
    const value = Math.max(red, green, blue);
    const spread = value - Math.min(red, green, blue);
    if (spread === 0) continue;
    const hue = (hueOf(red, green, blue, value, spread) + turn) & 255;
    putColor(bytes, at, hue, Math.trunc(fround(spread / value) * 255), value);
  }
}

/** 0 to 255. */
function hueOf(red: number, green: number, blue: number, value: number, spread: number): number {
  const [fromRed, fromGreen, fromBlue] = [
    fround((value - red) / spread),
    fround((value - green) / spread),
    fround((value - blue) / spread),
  ];
  const sixths =
    red === value
      ? fround(fromBlue - fromGreen)
      : fround(green === value ? 2 + fromRed - fromBlue : 4 + fromGreen - fromRed);
  return Math.trunc(fround((sixths / 6 + 1) % 1) * 255);
}

function putColor(bytes: Uint8Array, at: number, hue: number, saturation: number, value: number): void {
  if (saturation === 0) {
    bytes.fill(value, at, at + 3);
    return;
  }
  const sector = Math.floor((hue * 6) / 255);
  const rest = fround((hue * 6) / 255 - sector);
  const share = fround(saturation / 255);
  const low = Math.round(value * (1 - share));
  const falling = Math.round(value * (1 - share * rest));
  const rising = Math.round(value * (1 - share * (1 - rest)));
  const colors = [
    [value, rising, low],
    [falling, value, low],
    [low, value, rising],
    [low, falling, value],
    [rising, low, value],
    [value, low, falling],
  ];
  bytes.set(colors[sector % 6], at);
}
