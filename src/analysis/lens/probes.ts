import { inspect } from "node:util";
import { LuvitError } from "../../core/errors";
import { checkOptions, list, optionsOf, text } from "../../core/options";
import { textTable } from "../../core/textTable";
import { datasetField, type ImageDataset } from "../../data/dataset";
import { type Classifier, classifierField } from "../../models/classifier";
import { type Body, forwardBatches } from "../forwardBatches";
import type { GivenImages } from "../givenImages";
import { batchSize, engine, type LookOptions } from "../options";
import { expectLayers } from "../patterns";
import type { ProbeFeatures } from "../probe/settledFeatures";
import { type ProbeOptions, probeOptions, type TrainedProbe, trainProbe } from "../probe/trainProbe";
import { columnsOf, type ResultTable, resultTable } from "../provenance";
import { stackedRows } from "../stackedRows";
import { meanOfPatches } from "../stages";
import type { LensMaps } from "./lens";
import { probedMaps } from "./probedMaps";
import { residuals } from "./residuals";

export interface LensProbeOptions extends Omit<ProbeOptions, "test" | "batchSize"> {
  /** Places in the residual stream, e.g. ["blocks.5.out"]; default all of them. */
  sites?: readonly string[];
  /** Held images that each probe's accuracy is measured with; default none. */
  test?: ImageDataset;
  /** Images at a time while features are gathered; default 16. */
  batchSize?: number;
}

const { test: _, batchSize: __, ...probing } = probeOptions.optional;
const lensProbeOptions = optionsOf<LensProbeOptions>(
  {},
  { ...probing, sites: list(text, 1), test: datasetField, batchSize },
);

/** A linear probe for each place of a model's residual stream. Prints as a table. */
export class LensProbes {
  /** A row per place: site, accuracy (percent of `test`, or null). */
  readonly table: ResultTable;

  constructor(
    private readonly model: Classifier,
    /** By place, in the order of the forward pass. */
    readonly probes: ReadonlyMap<string, TrainedProbe>,
  ) {
    checkOptions("LensProbes", classifierField, model);
    const rows = [...probes].map(([site, { accuracy }]) => ({ site, accuracy }));
    this.table = resultTable(columnsOf(rows, ["site", "accuracy"]), { model: model.toString() });
  }

  /** What each patch says at each of these places, by the place's own probe in place of the model's norm and head. */
  lens(images: GivenImages, options: LookOptions = {}): Promise<LensMaps[]> {
    return probedMaps(this.model, this.probes, images, options);
  }

  toString(): string {
    const rows = [...this.probes].map(([site, { accuracy }]) => [site, accuracy?.toFixed(1) ?? "–"]);
    return textTable(["place", "right (%)"], rows);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * A lens for layers that the model's head fits badly: for each place of the residual stream a linear probe, trained on the
 * mean of the place's patches (MAE's protocol, see `trainProbe`), which then reads single patches. All places are gathered in
 * one pass over the images.
 *
 * @throws LuvitError("bad-argument") for places the model does not have, naming those it has, and as `trainProbe`.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const probes = await luvit.analysis.trainLensProbes(model, images.take(24), { sites: ["blocks.1.out"], epochs: 2 });
 * const [maps] = await probes.lens(images.take(1));
 * console.log(maps.at("blocks.1.out", 27));
 */
export async function trainLensProbes(
  model: Classifier,
  images: ImageDataset,
  options: LensProbeOptions = {},
): Promise<LensProbes> {
  checkOptions("trainLensProbes", classifierField, model);
  checkOptions("trainLensProbes", datasetField, images);
  checkOptions("trainLensProbes", lensProbeOptions, options);
  const { sites, test, batchSize = 16, signal, ...rest } = options;
  const gather = (set: ImageDataset) => featuresOfSites(model, set, sites, { batchSize, options: rest });
  const [train, held] = [await gather(images), test && (await gather(test))];
  const probes = new Map<string, TrainedProbe>();
  for (const [site, features] of train) {
    if (signal?.aborted) throw new LuvitError("interrupted", "trainLensProbes: stopped");
    probes.set(site, await trainProbe(features, { ...rest, signal, test: held?.get(site) }));
  }
  return new LensProbes(model, probes);
}

/** Means over the patches at each place, [N, D] each. */
async function featuresOfSites(
  model: Classifier,
  set: ImageDataset,
  sites: readonly string[] | undefined,
  { batchSize, options }: { batchSize: number; options: ProbeOptions },
): Promise<Map<string, ProbeFeatures>> {
  const body: Body = (fed, { context }) => {
    const found = residuals(model, fed, context);
    expectLayers("trainLensProbes", sites, [...found.keys()]);
    const wanted = [...found].filter(([name]) => sites?.includes(name) ?? true);
    return Object.fromEntries(wanted.map(([name, tokens]) => [name, meanOfPatches(model, tokens)]));
  };
  const rows = new Map<string, Float32Array[]>();
  const labels: number[] = [];
  const look = Object.fromEntries(Object.entries(options).filter(([name]) => name in engine));
  for await (const { samples, size, results } of forwardBatches(model, set, body, { batchSize, ...look })) {
    for (const [i, { label }] of samples.entries()) {
      labels.push(label);
      for (const [site, values] of Object.entries(results)) {
        const width = values.length / size;
        const own = rows.get(site) ?? [];
        own.push(values.slice(i * width, (i + 1) * width));
        rows.set(site, own);
      }
    }
  }
  const named = Int32Array.from(labels);
  return new Map([...rows].map(([site, own]) => [site, { ...stackedRows(own), labels: named }]));
}
