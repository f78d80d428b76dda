import type { LuvitErrorCode } from "../../core/errors";
import type { TransformSpec } from "../imageTransform";
import type { RgbImage } from "../pixels";
import type { DecodeOptions } from "./decode";

/** Results of a thread that may wait to be copied: the images it is given before it has answered the first. */
export const SLOTS = 8;

/** What a reading thread is asked. */
export interface ReadRequest {
  readonly id: number;
  readonly path: string;
  /** The image's encoded bytes, or its file, where `path` is only a name. */
  readonly stored?: Uint8Array | string;
  readonly decode: DecodeOptions;
  /** Decoded already; its memory is shared, not copied, where a thread decoded it. */
  readonly pixels?: RgbImage;
  /** Give the decoded pixels back, for the next time. */
  readonly keep: boolean;
  readonly spec: TransformSpec;
  /** Of the stream that the transform draws from. */
  readonly seed: number;
  /** Numbers of the result, and the slot for it, of SLOTS, where it has no address in the common memory. */
  readonly length: number;
  /** Whether they are the bytes before normalization. */
  readonly isBytes: boolean;
  readonly slot: number;
  readonly address?: number;
}

export interface ReadSuccess {
  readonly id: number;
  readonly done: true;
  /** Where the result lies in the thread's memory, in bytes; absent where it is in its place already. */
  readonly address?: number;
  /** That memory, where it is not the one of the reply before. */
  readonly memory?: SharedArrayBuffer;
  readonly pixels?: RgbImage;
}

export interface ReadFailure {
  readonly id: number;
  readonly done: false;
  /** Absent where the error is not this library's. */
  readonly code?: LuvitErrorCode;
  readonly message: string;
}

export type ReadReply = ReadSuccess | ReadFailure;
