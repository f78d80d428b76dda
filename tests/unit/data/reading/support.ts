import sharp from "sharp";

export const painted = (width: number, height: number, channels: 1 | 2 | 3 | 4) =>
  sharp(
    Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 29 + 5) % 256),
    { raw: { width, height, channels } },
  );
