import type { HostTensor, StoredDtype } from "../../core/hostTensor";
import type { KeptFile } from "./keptFile";
import { StoredTensor } from "./storedTensor";

/**
 * A tensor that stays in its file until `data` is asked for, which then stays here. `peek` reads it for a moment.
 *
 * @throws LuvitError("bad-file") from `data` and `peek`, where the file has changed or was closed.
 */
export class FileTensor implements HostTensor {
  #data: Float32Array | undefined;

  constructor(
    readonly shape: readonly number[],
    readonly dtype: StoredDtype,
    private readonly file: KeptFile,
    /** Where its bytes are in the file. */
    private readonly place: { readonly start: number; readonly end: number },
  ) {}

  get data(): Float32Array {
    this.#data ??= this.peek();
    return this.#data;
  }

  peek(): Float32Array {
    if (this.#data) return this.#data;
    const { start, end } = this.place;
    return new StoredTensor(this.shape, this.dtype, this.file.readNow(start, end)).peek();
  }
}
