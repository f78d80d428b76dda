import { type DecodeOptions, decodeImage, type RgbImage } from "./decode";

/** Keeps decoded pictures in memory until a budget is used up; later ones are decoded every time. */
export class PixelCache {
  private readonly images = new Map<string, RgbImage>();
  private used = 0;

  constructor(
    readonly budgetBytes: number,
    private readonly options: DecodeOptions = {},
  ) {}

  /** Bytes of pixels held. */
  get bytes(): number {
    return this.used;
  }

  /** The picture of a file, from memory or decoded now. Throws LuvitError "bad-image". */
  async get(path: string): Promise<RgbImage> {
    const known = this.images.get(path);
    if (known) return known;
    const image = await decodeImage(path, this.options);
    if (!this.images.has(path) && this.used + image.data.length <= this.budgetBytes) {
      this.images.set(path, image);
      this.used += image.data.length;
    }
    return image;
  }
}
