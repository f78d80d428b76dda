import type { StateDict } from "../../core/hostTensor";
import { flag, number, optionsOf, whole } from "../../core/options";
import { type HubOptions, hubOptions } from "../hub";
import type { LlamaFileConfig, LlamaFileHints } from "./config";
import type { RowOrder } from "./keymap";

/** What to read and what to assume. */
export interface LlamaReadOptions extends HubOptions {
  /** Needed when no config lies beside the weights and the width is no multiple of 128. Overrides the config. */
  heads?: number;
  /** Overrides the config; 1e-6 when nothing says otherwise. */
  normEps?: number;
  /** Overrides the config; 10000 when nothing says otherwise. */
  ropeTheta?: number;
  /** Load NaN and infinities instead of refusing them. */
  allowNonFinite?: boolean;
}

export const llamaReadOptions = optionsOf<LlamaReadOptions>(
  {},
  {
    ...hubOptions.optional,
    heads: whole(1, 4096),
    normEps: number(0, 1, true),
    ropeTheta: number(0, 1e12, true),
    allowNonFinite: flag,
  },
);

/** Blocks read from a checkpoint. */
export interface LlamaBlocks {
  /** Meta names; `layers.0` is the first block asked for, whatever its number in the file. */
  readonly tensors: StateDict;
  readonly config: LlamaFileConfig;
  /** How the q and k rows are ordered; as in the file (GGUF files of LLaMA and Mistral models: "meta"). */
  readonly rowOrder: RowOrder;
  /** Number of each block in the file, counted from 0. */
  readonly layerIndices: readonly number[];
  /** Blocks in the file (or as many as its config says). */
  readonly totalLayers: number;
  readonly source: string;
  readonly files: readonly string[];
  readonly bytesRead: number;
  /** Bytes that came over the network; absent for files of this machine. */
  readonly bytesReceived?: number;
  /** What was assumed because no file says it. */
  readonly notes: readonly string[];
}

/** What is known of a model before its tensors are looked at. */
export interface KnownModel {
  readonly hints: LlamaFileHints;
  /** Bytes of the config file. */
  readonly bytesRead: number;
  /** Of q and k, where it does not follow from the names of the tensors. */
  readonly rowOrder?: RowOrder;
}
