import { inspect } from "node:util";
import { LuvitError } from "../../core/errors";
import { groupBy } from "../../core/groupBy";
import { checkOptions, list, oneOf, optionsOf, such, text } from "../../core/options";
import { textTable } from "../../core/textTable";
import { type Tensor, tf } from "../../core/tf";
import { datasetField, type ImageDataset } from "../../data/dataset";
import { expectSquares } from "../../data/expectSquares";
import type { EngineOptions } from "../../engine";
import { type Classifier, classifierField } from "../../models/classifier";
import { expectClassToken, patchCount } from "../../models/vit";
import type { MaskedOrPlain } from "../forwardBatches";
import { describeMissing, describeUnreadable, gatherRows, type KeepingOptions, keeping } from "../gatherRows";
import type { ImageRange } from "../keptRanges";
import { isLensSite } from "../lens/lens";
import { batchSize, checkLooked, engine, provenance } from "../options";
import { expectLayers } from "../patterns";
import { columnsOf, type Provenance, type ResultTable, resultTable } from "../provenance";
import { meanWithInterval } from "../statistics";
import { patchTokens } from "./edits";

/** Tokens taken at once: all patches, the class token, both, or every token on its own. */
export type PatchedTokens = "patches" | "class" | "all" | "each";

export interface PatchActivationsOptions extends EngineOptions, KeepingOptions, Provenance {
  /** Places of the residual stream, e.g. ["blocks.5.out"]; default all. */
  sites?: readonly string[];
  /** Default "patches". "each" takes a pass per place and token. */
  tokens?: PatchedTokens;
  /** Pairs at a time; default 2. */
  batchSize?: number;
}

const patchOptions = optionsOf<PatchActivationsOptions>(
  {},
  {
    ...engine,
    ...keeping.optional,
    ...provenance.optional,
    sites: list(text, 1),
    tokens: oneOf(["patches", "class", "all", "each"]),
    batchSize,
  },
);

interface Row extends Record<string, string | number> {
  readonly index: number;
  readonly site: string;
  /** -1: several. */
  readonly token: number;
  readonly recovered: number;
  readonly flipped: number;
}

/** How much of another image's answer comes with its activations. Prints as a table. */
export class ActivationPatching {
  /** A row per pair and place: index, site, token (-1: several), recovered, flipped (1: the donor's answer). */
  readonly pairs: ResultTable;
  /** A row per place: site, token, pairs, recovered (mean), low and high (95 %), flipped (percent). */
  readonly table: ResultTable;

  constructor(
    rows: readonly Row[],
    from: Provenance,
    /** Ranges of pairs that were not got to. */
    readonly missing: readonly ImageRange[],
    /** Pairs of which an image could not be read. */
    readonly unreadable = 0,
  ) {
    checkOptions("ActivationPatching", such("rows, from patchActivations", Array.isArray), rows);
    const pairs = ["index", "site", "token", "recovered", "flipped"] as const;
    this.pairs = resultTable(columnsOf(rows, pairs), from);
    const groups = groupBy(rows, ({ site, token }) => `${token} ${site}`);
    const found = [...groups.values()].map((own) => {
      const shares = own.map(({ recovered }) => recovered).filter(Number.isFinite);
      const { mean: recovered, low, high } = meanWithInterval(shares);
      const flipped = (100 * own.reduce((sum, row) => sum + row.flipped, 0)) / own.length;
      const [{ site, token }] = own;
      return { site, token, pairs: own.length, recovered, low, high, flipped };
    });
    const names = ["site", "token", "pairs", "recovered", "low", "high", "flipped"] as const;
    this.table = resultTable(columnsOf(found, names), from);
  }

  toString(): string {
    const number = (x: number | null) => (x === null ? "–" : x.toFixed(3));
    const rows = this.table.toArray().slice(0, 40);
    const cells = rows.map(({ site, token, recovered, low, high, flipped }) => [
      site,
      token < 0 ? "" : String(token),
      number(recovered),
      `${number(low)} to ${number(high)}`,
      flipped.toFixed(1),
    ]);
    const left = this.missing.map(describeMissing).join(", ");
    const table = textTable(["place", "token", "recovered", "95 %", "flipped %"], cells);
    return [table, ...(left ? [`not got to: ${left}`] : []), ...describeUnreadable(this.unreadable)].join(
      "\n",
    );
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Takes activations from one image into another, pair by pair, and measures how much of the donor's answer comes with them:
 * recovered = (patched - receiver) / (donor - receiver), of the logit of the donor's answer; 0 nothing, 1 all of it, beyond
 * either possible, and unstable where the two are alike. Image i of `receivers` is paired with image i of `donors`: splits of
 * ImageNet-9 are such pairs, same object and other background.
 *
 * @throws LuvitError("bad-argument") for sets of different lengths, or places the model does not have.
 * @throws LuvitError("bad-dataset") where no pair can be read.
 * Reference: Meng et al. 2022 (arXiv 2202.05262), section 2; Zhang & Nanda 2024 on what the measure means.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const found = await luvit.analysis.patchActivations(model, images.subset([0, 1]), images.subset([30, 40]));
 * console.log(found);
 */
export async function patchActivations(
  model: Classifier,
  receivers: ImageDataset,
  donors: ImageDataset,
  options: PatchActivationsOptions = {},
): Promise<ActivationPatching> {
  checkOptions("patchActivations", classifierField, model);
  checkLooked("patchActivations", model, receivers);
  checkOptions("patchActivations", datasetField, donors);
  checkOptions("patchActivations", patchOptions, options);
  for (const set of [receivers, donors])
    expectSquares(set, "patchActivations", model.encoder.config.imageSize);
  if (receivers.length !== donors.length || receivers.size !== donors.size) {
    const given = `${receivers.length} of ${receivers.size} pixels and ${donors.length} of ${donors.size}`;
    throw new LuvitError(
      "bad-argument",
      `patchActivations: expected as many donors as receivers, of one size, got ${given}`,
    );
  }
  const {
    sites: wanted,
    tokens = "patches",
    batchSize = 2,
    out,
    keepEvery = batchSize,
    signal,
    ...rest
  } = options;
  const { model: name = model.toString(), data, recipe, seed, ...engine } = rest;
  const all = model
    .places()
    .map(({ name }) => name)
    .filter(isLensSite);
  expectLayers("patchActivations", wanted, all);
  const sites = all.filter((site) => wanted?.includes(site) ?? true);
  const { firstPatch, config } = model.encoder;
  const { registers = 0, imageSize } = config;
  if (tokens === "class") expectClassToken('patchActivations: tokens "class"', config);
  const patches = patchCount(config);
  const count = firstPatch + patches + registers;
  const variants = variantsOf(sites, tokens, count, (t) => t >= firstPatch && t < firstPatch + patches);
  const { rows, missing, unreadable } = await gatherRows<Row>({
    model,
    dataset: paired(receivers, donors),
    label: "patching",
    data,
    out,
    keepEvery,
    signal,
    facts: { sites, tokens, batchSize },
    body: (images, { variant: take, beside }) => {
      const seen = new Map<string, Tensor>();
      const donor = model.forward(tf.reshape(beside!, [-1, 3, imageSize, imageSize]), {
        tap: (name, value) => void seen.set(name, value),
      });
      return { donor, patched: model.forward(images, { edit: patchTokens(sites, seen, take!) }) };
    },
    rows: ({ samples, variants: results }) =>
      samples.flatMap(({ index }, i) => {
        const part = (values: Float32Array) => values.subarray(i * model.classes, (i + 1) * model.classes);
        const [plain, ...patched] = results;
        const [receiver, donor] = [part(plain.patched), part(plain.donor)];
        const top = donor.indexOf(Math.max(...donor));
        return patched.map((result, v): Row => {
          const answer = part(result.patched);
          const recovered = (answer[top] - receiver[top]) / (donor[top] - receiver[top]);
          const flipped = Number(answer.indexOf(Math.max(...answer)) === top);
          return { index, site: variants[v].site, token: variants[v].token, recovered, flipped };
        });
      }),
    forward: {
      batchSize,
      anyTokens: true,
      ...engine,
      beside: {
        width: 3 * imageSize * imageSize,
        of: (sample) => (sample as MaskedOrPlain & PairedSample).donor,
      },
      variants: {
        shape: [sites.length, count],
        feeds: [new Float32Array(sites.length * count), ...variants.map(({ take }) => take)],
      },
    },
  });
  return new ActivationPatching(rows, { model: name, data, recipe, seed }, missing, unreadable);
}

function variantsOf(
  sites: readonly string[],
  tokens: PatchedTokens,
  count: number,
  isPatch: (token: number) => boolean,
) {
  const from = (site: number, isTaken: (token: number) => boolean) => {
    const take = new Float32Array(sites.length * count);
    for (let token = 0; token < count; token++) take[site * count + token] = Number(isTaken(token));
    return take;
  };
  if (tokens !== "each") {
    const isTaken = {
      patches: isPatch,
      class: (t: number) => t === 0,
      all: () => true,
    }[tokens];
    return sites.map((site, s) => ({ site, token: -1, take: from(s, isTaken) }));
  }
  return sites.flatMap((site, s) =>
    Array.from({ length: count }, (_, token) => ({ site, token, take: from(s, (t) => t === token) })),
  );
}

interface PairedSample {
  readonly donor: Float32Array;
}

/** The receivers, each with its donor's image beside it. */
function paired(receivers: ImageDataset, donors: ImageDataset): ImageDataset {
  const load: ImageDataset["load"] = async (index, rng, reader) => {
    // The reader puts an image where a batch has room for one, so the donor is read without it.
    const [sample, donor] = await Promise.all([
      receivers.load(index, rng.fork("receiver"), reader),
      donors.load(index, rng.fork("donor")),
    ]);
    return { ...sample, index: donor.index === index ? sample.index : -1, donor: donor.image };
  };
  return Object.assign(Object.create(receivers) as ImageDataset, { load });
}
