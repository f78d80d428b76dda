/** Memory for the images of batches, the same again where they are asked for no longer. */
export class BatchMemory {
  private readonly free: Float32Array[] = [];
  private readonly out: Float32Array[] = [];

  constructor(
    private readonly most: number,
    private readonly reuse: number,
  ) {}

  take(length: number): Float32Array {
    if (this.reuse === Number.POSITIVE_INFINITY) return new Float32Array(length);
    return (this.free.pop() ?? new Float32Array(this.most)).subarray(0, length);
  }

  handOut(images: Float32Array): void {
    if (this.reuse !== Number.POSITIVE_INFINITY) this.out.push(images);
  }

  /** The next batch is asked for. */
  takeBack(): void {
    while (this.out.length >= this.reuse) this.free.push(new Float32Array(this.out.shift()!.buffer));
  }
}
