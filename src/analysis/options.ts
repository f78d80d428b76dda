import {
  callback,
  checkOptions,
  list,
  object,
  oneOf,
  optionsOf,
  seed,
  signal,
  such,
  text,
  whole,
} from "../core/options";
import type { ImageDataset } from "../data/dataset";
import { datasetField } from "../data/options";
import { engineOptions } from "../engine/options";
import type { EntropyOptions } from "./attentionEntropy";
import type { AttentionMapOptions } from "./attentionMaps";
import type { EntropyShareOptions } from "./entropyShares";
import type { FeatureOptions } from "./features";
import type { KeepingOptions } from "./gatherRows";
import type { GradientSignalOptions } from "./gradientSignal";
import type { Provenance } from "./provenance";
import type { PseudoMaskOptions } from "./pseudoMaskIou";
import type { SuiteOptions } from "./suite/suite";

/** A model that has an encoder. */
export const encodingModel = such<{ encoder: unknown }>(
  "a classifier or a masked auto-encoder",
  (value) => typeof value === "object" && value !== null && "encoder" in value,
);

/** What nearly every analysis is given. */
export function checkLooked(where: string, model: { encoder: unknown }, dataset: ImageDataset): void {
  checkOptions(where, encodingModel, model);
  checkOptions(where, datasetField, dataset);
}

const count = whole(1, 1_000_000);
const batchSize = whole(1, 1_000_000);

const provenance = optionsOf<Provenance>({}, { model: text, data: text, recipe: text, seed });
const { data: _, ...aboutModel } = provenance.optional;
const keeping = optionsOf<KeepingOptions>({}, { out: text, keepEvery: count, signal });
const engine = engineOptions.optional;

export const entropyOptions = optionsOf<EntropyOptions>({}, { ...engine, layers: list(text, 1), batchSize });

export const reconstructOptions = object({}, { ...engine, seed });

export const patchMapOptions = object({}, { ...engine, layer: text, batchSize });

export const entropyShareOptions = optionsOf<EntropyShareOptions>(
  {},
  { ...engine, ...keeping.optional, ...aboutModel, layer: text, batchSize },
);

export const featureOptions = optionsOf<FeatureOptions>({}, { ...engine, layer: text, batchSize });

export const attentionMapOptions = optionsOf<AttentionMapOptions>(
  {},
  { ...engine, layers: list(text, 1), index: whole(0, 1_000_000_000) },
);

export const pseudoMaskOptions = optionsOf<PseudoMaskOptions>(
  {},
  {
    ...engine,
    ...keeping.optional,
    ...provenance.optional,
    layer: text,
    kinds: list(oneOf(["magnitude", "frequency", "attention"]), 1),
    batchSize,
    mean: oneOf(["all", "column"]),
  },
);

export const gradientSignalOptions = optionsOf<GradientSignalOptions>(
  {},
  { ...engine, ...provenance.optional, groupSize: count, groups: whole(2, 1_000_000), signal },
);

export const suiteOptions = optionsOf<SuiteOptions>(
  {},
  {
    ...engine,
    ...aboutModel,
    out: text,
    shard: object({ index: count, count }, {}, ({ index = 1, count: of = 1 }) =>
      index > of ? [["index", `at most count (${of})`]] : [],
    ),
    batchSize,
    keepEvery: count,
    onProgress: callback(),
    signal,
  },
);
