import type { EngineOptions } from "../../engine";
import type { LogitPlanes } from "../../models/predictIds";
import type { Segmenter } from "../../models/segmenter";
import { type ForwardFunction, openForward } from "../../train/forward";
import { GraphsByShape } from "../graphsByShape";

/** A segmenter's graphs, one for each shape of images. */
export class ShapedForwards {
  private readonly graphs: GraphsByShape;

  constructor(
    private readonly model: Segmenter,
    private readonly batchSize: number,
    /** Graphs that are kept, each with the model's weights in the engine's memory. */
    most: number,
    engine: EngineOptions,
  ) {
    this.graphs = new GraphsByShape(({ height, width }, batch) => {
      const body: ForwardFunction = {
        inputs: { images: { shape: [batch, 3, height, width] } },
        body: ({ images }) => ({ logits: model.forward(images) }),
      };
      return openForward("segmentation", model, body, engine);
    }, most);
  }

  /** Images by shape, "256 x 384". */
  get shapes(): ReadonlyMap<string, number> {
    return this.graphs.shapes;
  }

  /** Logits of images [3, height, width], at most a batch of them. */
  async run(images: readonly Float32Array[], height: number, width: number): Promise<LogitPlanes[]> {
    const { batchSize } = this;
    const length = 3 * height * width;
    const batch = new Float32Array(batchSize * length);
    for (const [i, image] of images.entries()) batch.set(image, i * length);
    const forward = await this.graphs.graphFor({ height, width }, batchSize, images.length);
    const { logits } = await forward.run({
      images: { data: batch, shape: [batchSize, 3, height, width] },
    });
    const size = logits.length / batchSize;
    const { patchSize } = this.model.encoder.config;
    const [rows, columns] = [height, width].map((side) => Math.floor(side / patchSize));
    return images.map((_, i) => ({ logits: logits.subarray(i * size, (i + 1) * size), rows, columns }));
  }

  dispose(): Promise<void> {
    return this.graphs.dispose();
  }
}
