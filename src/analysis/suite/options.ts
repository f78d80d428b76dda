import { callback, optionsOf, signal, text } from "../../core/options";
import { type Shard, shardOptions } from "../../data/options";
import type { EngineOptions } from "../../engine";
import { aboutModel, batchSize, count, engine } from "../options";
import type { Provenance } from "../provenance";
import type { SuiteProgress } from "./run";

/** What a suite of evaluations is called, where it keeps its results, and which shard of it this is. */
export interface SuiteOptions extends EngineOptions, Omit<Provenance, "data"> {
  /** Folder that keeps the answers; with it a suite that was stopped goes on where it was. Default none. */
  out?: string;
  /** The same share of every part, so that several machines can work at once; default all. */
  shard?: Shard;
  /** Images per forward pass; default 32. */
  batchSize?: number;
  /** Images per file of answers, which is what a killed suite has to do again; default 2048. */
  keepEvery?: number;
  onProgress?(progress: SuiteProgress): void;
  /** Ends the suite after the current batch; what was answered is kept. SIGINT does the same. */
  signal?: AbortSignal;
}

export const suiteOptions = optionsOf<SuiteOptions>(
  {},
  {
    ...engine,
    ...aboutModel,
    out: text,
    shard: shardOptions,
    batchSize,
    keepEvery: count,
    onProgress: callback(),
    signal,
  },
);
