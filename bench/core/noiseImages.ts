import { Rng } from "../../src/core/rng";
import { type ImageDataset, type Sample, SkipReport, spreadIndices } from "../../src/data/dataset";

/** Images of one class that are drawn, not read. */
export class NoiseImages implements ImageDataset {
  readonly classes = ["noise"];
  readonly report = new SkipReport();

  constructor(
    readonly length: number,
    readonly size: number,
  ) {}

  async load(index: number): Promise<Sample> {
    const rng = new Rng(index);
    const image = Float32Array.from({ length: 3 * this.size ** 2 }, () => rng.uniform() - 0.5);
    return { image, label: 0, path: this.path(index), index };
  }

  path(index: number): string {
    return `noise/${index}.png`;
  }

  label(): number {
    return 0;
  }

  take(count: number): NoiseImages {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): NoiseImages {
    return new NoiseImages(indices.length, this.size);
  }

  withTransform(): NoiseImages {
    return this;
  }
}
