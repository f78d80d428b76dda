import type { Forward } from "../train/forward";

/** Pixels of an image. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
}

interface Opened {
  readonly forward: Promise<Forward>;
  uses: number;
}

/** Graphs of one computation, one for each shape and number of images; those that were used most are kept. */
export class GraphsByShape {
  /** Images by shape, "256 x 384". */
  readonly shapes = new Map<string, number>();
  private readonly opened = new Map<string, Opened>();

  constructor(
    private readonly open: (shape: ImageShape, batch: number) => Promise<Forward>,
    /** Graphs that are kept, each with the model's weights in the engine's memory. */
    private readonly most: number,
  ) {}

  /** The graph for batches of images of a shape, which is about to be used for so many. */
  async graphFor({ height, width }: ImageShape, batch: number, images: number): Promise<Forward> {
    const shape = `${height} x ${width}`;
    this.shapes.set(shape, (this.shapes.get(shape) ?? 0) + images);
    const name = `${batch} of ${shape}`;
    const known = this.opened.get(name);
    if (known) {
      known.uses += images;
      return known.forward;
    }
    if (this.opened.size >= this.most) await this.closeLeastUsed();
    const forward = this.open({ height, width }, batch);
    this.opened.set(name, { forward, uses: images });
    try {
      return await forward;
    } catch (error) {
      this.opened.delete(name);
      throw error;
    }
  }

  async dispose(): Promise<void> {
    const opened = [...this.opened.values()];
    this.opened.clear();
    for (const { forward } of opened) await (await forward).dispose();
  }

  private async closeLeastUsed(): Promise<void> {
    const [name, { forward }] = [...this.opened].reduce((least, one) =>
      one[1].uses < least[1].uses ? one : least,
    );
    this.opened.delete(name);
    await (await forward).dispose();
  }
}
