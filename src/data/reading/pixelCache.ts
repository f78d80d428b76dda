import type { RgbImage } from "../pixels";
import { type DecodeOptions, decodeImage } from "./decode";

/** Keeps decoded images in memory until a budget is used up; later ones are decoded every time. */
export class PixelCache {
  private readonly images = new Map<string, RgbImage>();
  private used = 0;
  private full = false;

  constructor(
    readonly budgetBytes: number,
    readonly options: DecodeOptions = {},
  ) {}

  /** Bytes of pixels held. */
  get bytes(): number {
    return this.used;
  }

  /** Whether every image offered so far could be kept. */
  get hasRoom(): boolean {
    return !this.full && this.budgetBytes > 0;
  }

  /** The image of a file if it is in memory. */
  peek(path: string): RgbImage | undefined {
    return this.images.get(path);
  }

  /**
   * The image of a file, from memory or decoded now, or the one that `stored` gives under this name.
   *
   * @throws LuvitError("bad-image")
   */
  async get(path: string, stored?: () => Promise<Uint8Array | string>): Promise<RgbImage> {
    const known = this.images.get(path);
    if (known) return known;
    const image = await decodeImage((await stored?.()) ?? path, this.options, path);
    this.put(path, image);
    return image;
  }

  /** Keeps a decoded image if the budget allows it. */
  put(path: string, image: RgbImage): void {
    if (this.images.has(path)) return;
    if (this.used + image.data.length > this.budgetBytes) {
      this.full = true;
      return;
    }
    this.images.set(path, image);
    this.used += image.data.length;
  }
}
