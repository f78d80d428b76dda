import { checkOptions, object, optionsOf, seed, such, text, whole } from "../core/options";
import { datasetField, type ImageDataset } from "../data/dataset";
import { engineOptions } from "../engine/options";
import type { Provenance } from "../io/tables";

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

export const reconstructOptions = object({}, { ...engine, seed });

export const patchMapOptions = object({}, { ...engine, layer: text, batchSize });

export const provenance = optionsOf<Provenance>({}, { model: text, data: text, recipe: text, seed });
const { data: _, ...rest } = provenance.optional;
export const aboutModel = rest;
