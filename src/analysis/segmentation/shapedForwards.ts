import type { EngineOptions } from "../../engine";
import type { LogitPlanes } from "../../models/predictIds";
import type { Segmenter } from "../../models/segmenter";
import { type Forward, type ForwardFunction, openForward } from "../../train/forward";

interface Opened {
  readonly forward: Promise<Forward>;
  uses: number;
}

/** A segmenter's graphs, one for each shape of images; those that were used most are kept. */
export class ShapedForwards {
  /** Images by shape, "256 x 384". */
  readonly shapes = new Map<string, number>();
  private readonly opened = new Map<string, Opened>();

  constructor(
    private readonly model: Segmenter,
    private readonly batchSize: number,
    /** Graphs that are kept, each with the model's weights in the engine's memory. */
    private readonly most: number,
    private readonly engine: EngineOptions,
  ) {}

  /** Logits of images [3, height, width], at most a batch of them. */
  async run(images: readonly Float32Array[], height: number, width: number): Promise<LogitPlanes[]> {
    const { batchSize } = this;
    const length = 3 * height * width;
    const batch = new Float32Array(batchSize * length);
    for (const [i, image] of images.entries()) batch.set(image, i * length);
    const shape = [batchSize, 3, height, width];
    const forward = await this.forwardOf(`${height} x ${width}`, shape, images.length);
    const { logits } = await forward.run({ images: { data: batch, shape } });
    const size = logits.length / batchSize;
    const { patchSize } = this.model.encoder.config;
    const [rows, columns] = [height, width].map((side) => Math.floor(side / patchSize));
    return images.map((_, i) => ({ logits: logits.subarray(i * size, (i + 1) * size), rows, columns }));
  }

  async dispose(): Promise<void> {
    const opened = [...this.opened.values()];
    this.opened.clear();
    for (const { forward } of opened) await (await forward).dispose();
  }

  private async forwardOf(name: string, shape: number[], images: number): Promise<Forward> {
    this.shapes.set(name, (this.shapes.get(name) ?? 0) + images);
    const known = this.opened.get(name);
    if (known) {
      known.uses += images;
      return known.forward;
    }
    if (this.opened.size >= this.most) await this.closeLeastUsed();
    const { model } = this;
    const body: ForwardFunction = {
      inputs: { images: { shape } },
      body: ({ images }) => ({ logits: model.forward(images) }),
    };
    const forward = openForward("segmentation", model, body, this.engine);
    this.opened.set(name, { forward, uses: images });
    try {
      return await forward;
    } catch (error) {
      this.opened.delete(name);
      throw error;
    }
  }

  private async closeLeastUsed(): Promise<void> {
    const [name, { forward }] = [...this.opened].reduce((least, one) =>
      one[1].uses < least[1].uses ? one : least,
    );
    this.opened.delete(name);
    await (await forward).dispose();
  }
}
