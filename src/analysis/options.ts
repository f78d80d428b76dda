import { checkOptions, object, oneOf, optionsOf, seed, such, text, whole } from "../core/options";
import { datasetField, type ImageDataset } from "../data/dataset";
import type { EngineOptions } from "../engine";
import { engineOptions } from "../engine/options";
import type { Provenance } from "../io/tables";
import { type PositionRule, positionRules } from "../nn/positionEmbedding";

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

export const count = whole(1, 1_000_000);
export const batchSize = whole(1, 1_000_000);
export const engine = engineOptions.optional;

/** What images are looked at on, and how those of other shapes than the model's square, see `data.wholeImages`. */
export interface LookOptions extends EngineOptions {
  /** Of whole images: how positions of their patches are made; default bicubic as MAE does, of a segmenter as DINO. */
  positions?: PositionRule;
  /** Of whole images: graphs that are kept, each with the model's weights; default 4. */
  graphs?: number;
}

export const looking = { ...engine, positions: oneOf(positionRules), graphs: count };

export const reconstructOptions = object({}, { ...looking, seed });

export const patchMapOptions = object({}, { ...looking, layer: text, batchSize });

export const provenance = optionsOf<Provenance>({}, { model: text, data: text, recipe: text, seed });
const { data: _, ...rest } = provenance.optional;
export const aboutModel = rest;
