import { LuvitError } from "../../core/errors";
import type { HostTensor } from "../../core/hostTensor";

/** A tensor that is there but cannot be read: it does no harm where nobody needs its numbers. */
export class UnreadableTensor implements HostTensor {
  readonly problem: string;

  constructor(
    private readonly name: string,
    readonly shape: readonly number[],
    dtype: string,
  ) {
    this.problem = `a type that cannot be read: ${dtype}`;
  }

  get data(): Float32Array {
    throw new LuvitError("bad-file", `${this.name}: ${this.problem}`);
  }
}
