import type { FilePlace, HostTensor, StoredDtype } from "../../core/hostTensor";
import { hasSpecialShortFloats, type ShortFloat, widenShortFloats } from "../../core/shortFloats";
import { widenToFloat32 } from "./floats";
import { KeptStretch } from "./keptFile";
import type { ReadAgain } from "./rangeReads";

/**
 * A tensor as it was read. Float16 and bfloat16 stay two bytes a number until `data` is asked for; from then on they are
 * float32 and the stored bytes are let go. `peek` widens them for a moment: a frozen block that is only handed to an
 * engine never takes more than its file's bytes here, and none once it was released.
 */
export class StoredTensor implements HostTensor {
  #bytes: Uint8Array | undefined;
  #data: Float32Array | undefined;
  /** Where the bytes are that are not kept here. */
  #kept: KeptStretch | undefined;
  /** Whether somebody has the numbers, who may have changed them. */
  #isGiven = false;
  readonly #again: ReadAgain | undefined;

  /** `bytes` belong to the tensor from now on, or are read whenever they are needed; `again` reads them anew. */
  constructor(
    readonly shape: readonly number[],
    readonly dtype: StoredDtype,
    bytes: Uint8Array | KeptStretch,
    again?: ReadAgain,
  ) {
    this.#again = again;
    if (bytes instanceof KeptStretch) this.#kept = bytes;
    else if (isShort(dtype) && bytes.length % 2 === 0) this.#bytes = bytes;
    else this.#data = floatsOf(bytes, dtype);
  }

  get data(): Float32Array {
    this.#data ??= this.widen();
    this.#bytes = undefined;
    this.#kept = undefined;
    this.#isGiven = true;
    return this.#data;
  }

  /** The stored bytes of float16 and bfloat16 while they are kept; to be read only. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  peek(): Float32Array {
    return this.#data ?? this.widen();
  }

  /** Lets the numbers go where the file that they are from still is as it was: they are read again when needed. */
  release(): void {
    if (this.#isGiven || this.#kept) return;
    this.#kept = this.#again?.();
    if (!this.#kept) return;
    this.#bytes = undefined;
    this.#data = undefined;
  }

  place(): FilePlace | undefined {
    const { dtype } = this;
    const stretch = this.#isGiven ? undefined : (this.#kept ?? this.#again?.());
    if (!stretch || !(dtype === "F32" || isShort(dtype))) return undefined;
    const { start, end, file } = stretch;
    return { path: file.name, identity: file.identity, start, end, dtype };
  }

  /** False where the stored bits show an infinity or a NaN; undefined when they are no longer, or never were, kept. */
  get isFinite(): boolean | undefined {
    return this.#bytes && !hasSpecialShortFloats(this.#bytes, this.dtype as ShortFloat);
  }

  private widen(): Float32Array {
    const bytes = this.#bytes ?? this.#kept!.read();
    if (!isShort(this.dtype)) return floatsOf(bytes, this.dtype);
    const out = new Float32Array(bytes.length / 2);
    widenShortFloats(bytes, this.dtype, out);
    return out;
  }
}

function isShort(dtype: StoredDtype): dtype is ShortFloat {
  return dtype === "F16" || dtype === "BF16";
}

/** Float32 in an array of their own are taken as they are. */
function floatsOf(bytes: Uint8Array, dtype: StoredDtype): Float32Array {
  const owned = bytes.length === bytes.buffer.byteLength && bytes.length % 4 === 0;
  return dtype === "F32" && owned ? new Float32Array(bytes.buffer) : widenToFloat32(bytes, dtype);
}
