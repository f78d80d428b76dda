import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type HostTensor, type StateDict } from "../core/hostTensor";
import { checkOptions, oneOf, optionsOf, text } from "../core/options";
import { describeNonFinite } from "../io/bytes";
import { type MaeCheckpoint, readMaeCheckpoint, type WeightPartOptions } from "../io/checkpoint";
import { source as sourceArgument } from "../io/options";
import type { LoadReport } from "../nn/loadStateDict";
import type { PositionResize } from "../nn/positionEmbedding";
import { positionResizes } from "../nn/positionTaps";
import { type Classifier, classifierField } from "./classifier";
import { type MaskedAutoencoder, maeField } from "./mae";
import { type OfficialTensors, withOfficialNames } from "./officialNames";
import { expectSameParts } from "./openModel";
import { partOptions } from "./options";
import { fitPositionTable } from "./positions";
import { type Segmenter, segmenterField } from "./segmenter";

/**
 * Loads an official MAE checkpoint (.pth, or safetensors with the same names) into a masked auto-encoder. Released files
 * hold the encoder only; then the decoder keeps its fresh weights, as the report's `note` says. The fusion path, which MAE does not have, always does.
 *
 * @throws LuvitError("key-mismatch" | "shape-mismatch") listing every key that does not fit.
 */
export async function loadMae(
  model: MaskedAutoencoder,
  path: string,
  part: WeightPartOptions = {},
): Promise<LoadReport> {
  checkOptions("mae.loadCheckpoint", maeField, model);
  checkOptions("mae.loadCheckpoint", sourceArgument, { path });
  checkOptions("mae.loadCheckpoint", partOptions, part);
  await expectSameParts(path, model);
  const { tensors, source, notes } = await readMaeCheckpoint(path, part);
  expectFinite(tensors, model, source);
  const hasDecoder = [...tensors.keys()].some((key) => key.startsWith("decoder_"));
  const decoder = hasDecoder ? [] : ["decoder_", "mask_token"];
  const report = model.loadStateDict(fitted(tensors, model), {
    source,
    notes: hasDecoder ? notes : [...notes, freshDecoder],
    allowMissing: [...fusionKeys, ...decoder],
  });
  return withoutSources(model, report, tensors, part.key);
}

/** What is to be known of a file that holds the encoder only. */
const freshDecoder =
  "the file holds no decoder: this one is fresh, and what it reconstructs says nothing until it is trained";

/** How a checkpoint is fitted to the model. */
export interface FitOptions extends WeightPartOptions {
  /**
   * How positions of another image size are resized: "mae" (default) as MAE's code does, plain bicubic; "timm" as timm
   * does, bicubic with antialiasing, whose curve is another one also where nothing shrinks; "dino" as DINO does.
   */
  positions?: PositionResize;
}

export const fitOptions = optionsOf<FitOptions>({}, { positions: oneOf(positionResizes), key: text });

/**
 * Loads a MAE checkpoint's encoder, a finetuned MAE classifier, or a ViT of timm (file or folder) into a classifier. A
 * head, `fc_norm` or fusion path the file lacks keeps its fresh weights, and so does a head for another number of classes,
 * as in MAE's finetuning; decoder and final norm of a pretraining file are left out. Models of timm without qkv biases get
 * zeros, and positions without a class token's row a row of zeros: both compute the same. DINOv2 is read under the names of
 * its own code, of transformers and of timm, CLIP and SigLIP under those of transformers and of timm.
 *
 * @throws LuvitError("key-mismatch" | "shape-mismatch") listing every key that does not fit, such as those of distillation
 * tokens, which this ViT has not, or of registers and layer scales where the model was made without.
 */
export async function loadClassifier(
  model: Classifier,
  path: string,
  options: FitOptions = {},
): Promise<LoadReport> {
  checkOptions("classifier.loadCheckpoint", classifierField, model);
  checkOptions("classifier.loadCheckpoint", sourceArgument, { path });
  checkOptions("classifier.loadCheckpoint", fitOptions, options);
  await expectSameParts(path, model);
  return applyClassifier(model, path, await readMaeCheckpoint(path, { key: options.key }), options);
}

/**
 * Loads a MAE checkpoint's encoder, a finetuned classifier or a segmenter (ImageNetSegModel's names) into a segmenter, as
 * `classifier.loadCheckpoint` does: a head of another shape, such as a classifier's, is left out.
 *
 * @throws LuvitError("key-mismatch" | "shape-mismatch") listing every key that does not fit.
 */
export async function loadSegmenter(
  model: Segmenter,
  path: string,
  options: FitOptions = {},
): Promise<LoadReport> {
  checkOptions("segmenter.loadCheckpoint", segmenterField, model);
  checkOptions("segmenter.loadCheckpoint", sourceArgument, { path });
  checkOptions("segmenter.loadCheckpoint", fitOptions, options);
  await expectSameParts(path, model);
  return applyClassifier(model, path, await readMaeCheckpoint(path, { key: options.key }), options);
}

/** The same of a checkpoint that was read from `path`. */
export function applyClassifier(
  model: Classifier | Segmenter,
  path: string,
  checkpoint: MaeCheckpoint,
  options: FitOptions = {},
): LoadReport {
  const { tensors, notes } = checkpoint;
  const official = withOfficialNames(tensors, path);
  const { tensors: named, fileNames, leftOut } = official;
  const source = sourceOf(path, checkpoint, official);
  expectFinite(named, model, source);
  const fittedTensors = fitted(asOfficial(named, model.encoder.firstPatch), model, options);
  const unused = ["decoder_", "mask_token", ...(model.encoder.norm ? [] : ["norm."])];
  if (!("attn_pool" in model && model.attn_pool)) unused.push("attn_pool.");
  // MoCo's projection, which is no head for classes: a small network in its place.
  if (!tensors.has("head.weight"))
    unused.push(...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((layer) => `head.${layer}.`));
  const head = fittedTensors.get("head.weight");
  if (head && head.shape.join() !== model.head.weight.shape.join()) {
    for (const key of ["head.weight", "head.bias"]) fittedTensors.delete(key);
  }
  const report = model.loadStateDict(fittedTensors, {
    source,
    notes: leftOut.length > 0 ? [...notes, `${leftOut.length} tensors are no part of the ViT`] : notes,
    fileNames,
    allowMissing: [...fusionKeys, "head.", "fc_norm.", "attn_pool."],
    allowUnexpected: unused,
  });
  return withoutSources(model, report, named, options.key);
}

/**
 * Parameters of which the file holds other values, as those that were resized, filled in or chosen by a key, get no source:
 * checkpoints must keep them.
 */
function withoutSources(model: WithEncoder, report: LoadReport, held: StateDict, key?: string): LoadReport {
  const parameters = new Map(model.namedParameters());
  for (const path of report.loaded) {
    const parameter = parameters.get(path)!;
    const tensor = held.get(path);
    const isHeld = tensor !== undefined && formatShape(tensor.shape) === formatShape(parameter.shape);
    if (!isHeld || key !== undefined) parameter.source = undefined;
  }
  return report;
}

/** What messages and parameters call a checkpoint: asks after a wrapper of all names only where these are not known. */
export function sourceOf(path: string, { source }: MaeCheckpoint, { fileNames }: OfficialTensors): string {
  return fileNames.size > 0 ? path : source;
}

/** @throws LuvitError("non-finite") listing the tensors of a model that would make all that it computes NaN. */
function expectFinite(tensors: StateDict, model: WithEncoder, source: string): void {
  const faults = [...model.namedParameters()].flatMap(([path]) => {
    const tensor = tensors.get(path);
    const fault = tensor && tensor.problem === undefined ? describeNonFinite(tensor) : undefined;
    return fault ? [`${path}: ${fault}`] : [];
  });
  if (faults.length === 0) return;
  throw new LuvitError(
    "non-finite",
    `${source}: numbers that nothing can be computed with\n${listOffenders(faults)}`,
  );
}

type WithEncoder = MaskedAutoencoder | Classifier | Segmenter;

const fusionKeys = ["llama_dim_mapper1.", "llama.", "mlp_norm.", "llama_dim_mapper2."];

const positionTables = ["pos_embed", "decoder_pos_embed"];

/** Positions of another image size are resized bicubically. */
function fitted(tensors: StateDict, model: WithEncoder, { positions = "mae" }: FitOptions = {}): StateDict {
  const fit = ([key, tensor]: [string, HostTensor]): [string, HostTensor] => [
    key,
    positionTables.includes(key) ? fitPositionTable(tensor, model.encoder.config, positions) : tensor,
  ];
  return new Map([...tensors].map(fit));
}

/** Fills in what models of timm may be without: qkv biases, and the class token's position. */
function asOfficial(tensors: StateDict, firstPatch: number): StateDict {
  const complete: StateDict = new Map();
  const patches = tensors.get("patch_embed.proj.weight");
  // CLIP's patches have no bias; of others a missing one is a fault.
  if (patches && tensors.has("norm_pre.weight") && !tensors.has("patch_embed.proj.bias"))
    complete.set("patch_embed.proj.bias", {
      shape: [patches.shape[0]],
      data: new Float32Array(patches.shape[0]),
    });
  for (const [key, tensor] of tensors) {
    complete.set(key, key === "pos_embed" && firstPatch > 0 ? withClassPosition(tensor) : tensor);
    const bias = /^blocks\.\d+\.attn\.qkv\.weight$/.test(key) ? key.replace("weight", "bias") : undefined;
    if (bias && !tensors.has(bias)) {
      complete.set(bias, { shape: [tensor.shape[0]], data: new Float32Array(tensor.shape[0]) });
    }
  }
  return complete;
}

/** A table of a square grid and nothing else belongs to a model whose class token has no position. */
function withClassPosition(table: HostTensor): HostTensor {
  const [, rows, dim] = table.shape;
  if (table.shape.length !== 3 || !Number.isInteger(Math.sqrt(rows)) || rows === 1) return table;
  const data = new Float32Array((1 + rows) * dim);
  data.set(table.data, dim);
  return { shape: [1, 1 + rows, dim], data };
}
