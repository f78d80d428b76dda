import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type StateDict } from "../core/hostTensor";
import { checkOptions, path } from "../core/options";
import { Rng } from "../core/rng";
import { metaToHfName, type RowOrder } from "../io/llama";
import {
  type Adapter,
  type AdapterMapping,
  adapterAlpha,
  adapterFromMeta,
  adapterRank,
  adapterToMeta,
  readAdapter,
  writeAdapter,
} from "../io/peft";
import { Linear } from "../nn/layers";
import type { Module } from "../nn/module";
import { putWhole, wholeMisfits, wholeParameters } from "./adapterParameters";
import { LlamaBlocks } from "./llamaBlock";
import { adapters, LoraLinear } from "./lora";
import { LoraReport } from "./loraReport";
import { modelField } from "./options";

/** A model that LLaMA adapters fit: a whole language model, or a block of one. */
type AdaptedModel = Module & { readonly config: { rowOrder: RowOrder; heads: number; kvHeads?: number } };

/**
 * Attaches a PEFT adapter to a language model, or to the block of one that it was trained for, and freezes the rest.
 * Parameters that it holds whole take the place of the model's. What of an adapter lies outside a block is left out and
 * named in the answer; a language model gets all of it.
 * @throws LuvitError("key-mismatch") listing everything of the adapter that this model lacks.
 */
export function applyAdapter(model: AdaptedModel, adapter: Adapter): LoraReport {
  const isWanted = wantedBy(model);
  const take = (tensors: StateDict = new Map()) => {
    const wanted = new Map([...tensors].filter(([name]) => isWanted(name)));
    return fromFileLayers(model, adapterToMeta(wanted, mappingOf(model)));
  };
  const [tensors, whole] = [take(adapter.tensors), take(adapter.whole)];
  const names = [...adapter.tensors.keys(), ...(adapter.whole?.keys() ?? [])];
  const leftOut = [...(adapter.leftOut ?? []), ...names.filter((name) => !isWanted(name))];
  const paths = [...tensors.keys()]
    .filter((key) => key.endsWith(".lora_A.weight"))
    .map((key) => key.slice(0, -14));
  requireFit(model, adapter, { paths, tensors, whole, leftOut });
  model.freeze();
  putWhole(model, whole);
  const linears = linearsOf(model);
  for (const path of paths) attachOne(model, path, linears.get(path)!, tensors, adapter);
  const { trainable, total } = model.counts();
  return new LoraReport({ paths, trainable, total, replaced: [...whole.keys()], leftOut });
}

/** Reads a PEFT adapter folder and attaches it. See `applyAdapter`. */
export async function loadAdapter(model: AdaptedModel, folder: string): Promise<LoraReport> {
  checkOptions("lora.loadAdapter", modelField, model);
  return applyAdapter(model, await readAdapter(folder, wantedBy(model)));
}

/**
 * Writes a model's LoRA updates, and what an adapter brought whole, as a PEFT adapter folder (adapter_config.json,
 * adapter_model.safetensors).
 */
export async function saveAdapter(model: AdaptedModel, folder: string): Promise<void> {
  checkOptions("lora.saveAdapter", path, folder);
  const layers = adapters(model);
  if (layers.length === 0)
    throw new LuvitError("bad-argument", "saveAdapter: this model has no LoRA; call lora.attach first");
  const tensors: StateDict = new Map();
  for (const [path, layer] of layers) {
    tensors.set(`${path}.lora_A.weight`, await layer.lora_A.weight.read());
    tensors.set(`${path}.lora_B.weight`, await layer.lora_B.weight.read());
  }
  const nameAll = (state: StateDict) => adapterFromMeta(toFileLayers(model, state), mappingOf(model));
  const named = nameAll(tensors);
  const modules = [...named.keys()].map((key) => key.replace(/\.lora_[AB]\.weight$/, ""));
  const indices = modules.map((path) => Number(/layers\.(\d+)\./.exec(path)?.[1] ?? Number.NaN));
  const inLayers = indices.every(Number.isInteger);
  await writeAdapter(folder, {
    config: {
      ...ranksAndAlphas(layers.map(([path, layer]) => [moduleName(model, path), layer])),
      target_modules: [...new Set(modules.map((path) => path.split(".").at(-1)!))].sort(),
      // PEFT would not find modules outside the layers where it is told the layers.
      layers_to_transform: inLayers ? [...new Set(indices)].sort((a, b) => a - b) : null,
    },
    tensors: named,
    whole: nameAll(await wholeParameters(model)),
  });
}

/** Those of the first layer, and by module path those of the layers that have others. */
function ranksAndAlphas(layers: readonly (readonly [string, LoraLinear])[]) {
  const alphaOf = ({ rank, scaling }: LoraLinear) => scaling * rank;
  const [, first] = layers[0];
  const [r, lora_alpha] = [first.rank, alphaOf(first)];
  const others = (value: (layer: LoraLinear) => number, usual: number) =>
    Object.fromEntries(
      layers.flatMap(([path, layer]) => (value(layer) === usual ? [] : [[path, value(layer)]])),
    );
  const rank_pattern = others((layer) => layer.rank, r);
  return { r, lora_alpha, rank_pattern, alpha_pattern: others(alphaOf, lora_alpha) };
}

function mappingOf({ config: { rowOrder, heads, kvHeads } }: AdaptedModel): AdapterMapping {
  return { rowOrder, heads, kvHeads };
}

function linearsOf(model: Module): Map<string, Linear | LoraLinear> {
  const isLinear = (entry: [string, Module]): entry is [string, Linear | LoraLinear] =>
    entry[1] instanceof Linear || entry[1] instanceof LoraLinear;
  return new Map([...model.namedModules()].filter(isLinear));
}

interface Fitted {
  readonly paths: readonly string[];
  readonly tensors: StateDict;
  readonly whole: StateDict;
  readonly leftOut: readonly string[];
}

function requireFit(model: Module, { config }: Adapter, { paths, tensors, whole, leftOut }: Fitted): void {
  const linears = linearsOf(model);
  const misfits = paths.flatMap((path) => {
    const weight = linears.get(path)?.weight;
    if (!weight) return [`${path}: no such linear in this model`];
    const [outputs] = tensors.get(`${path}.lora_B.weight`)!.shape;
    const [, inputs] = tensors.get(`${path}.lora_A.weight`)!.shape;
    if (weight.shape[0] === outputs && weight.shape[1] === inputs) return [];
    return [`${path}: adapter is for [${outputs}, ${inputs}], the weight is ${formatShape(weight.shape)}`];
  });
  misfits.push(...wholeMisfits(model, whole));
  if (!(model instanceof LlamaBlocks) && config.ensure_weight_tying === true)
    misfits.push("ensure_weight_tying: true, but this model's embedding and output layer are two");
  if (paths.length === 0 && whole.size === 0) misfits.push("it holds no tensor for a block of this model");
  if (misfits.length === 0) return;
  const rest =
    leftOut.length > 0 ? `\nof other parts of the model it holds\n${listOffenders(leftOut, 10)}` : "";
  throw new LuvitError("key-mismatch", `the adapter does not fit:\n${listOffenders(misfits)}${rest}`);
}

function attachOne(
  model: Module,
  path: string,
  base: Linear | LoraLinear,
  tensors: StateDict,
  { config }: Adapter,
): void {
  const a = tensors.get(`${path}.lora_A.weight`)!;
  const b = tensors.get(`${path}.lora_B.weight`)!;
  const name = moduleName(model, path);
  if (base instanceof LoraLinear) removeUpdate(base);
  const scale = {
    rank: adapterRank(config, name),
    alpha: adapterAlpha(config, name),
    rankStabilized: config.use_rslora,
  };
  const adapted = new LoraLinear(base, scale, new Rng(0));
  adapted.lora_A.weight.load(a);
  adapted.lora_B.weight.load(b);
  model.replaceModule(path, adapted);
}

/** An adapter takes the place of the one before. */
function removeUpdate(layer: LoraLinear): void {
  if (layer.merged) layer.addUpdate(-1);
  layer.lora_A.dispose();
  layer.lora_B.dispose();
}

const layerNumber = /^layers\.(\d+)\./;

/** Which of an adapter's tensors, by their names in the base model, belong to a model: of a block those of its layers. */
function wantedBy(model: Module): (name: string) => boolean {
  if (!(model instanceof LlamaBlocks)) return () => true;
  return (name) =>
    model.layerIndices.includes(Number(/^(?:model\.)?layers\.(\d+)\./.exec(name)?.[1] ?? Number.NaN));
}

/** `layers.31.…` of the file -> `layers.0.…` of a block read as the only one. */
function fromFileLayers(model: Module, tensors: StateDict): StateDict {
  if (!(model instanceof LlamaBlocks)) return tensors;
  const position = (_: string, index: string) => `layers.${model.layerIndices.indexOf(Number(index))}.`;
  return new Map([...tensors].map(([key, tensor]) => [key.replace(layerNumber, position), tensor]));
}

function toFileLayers(model: Module, tensors: StateDict): StateDict {
  return new Map([...tensors].map(([key, tensor]) => [fileName(model, key), tensor]));
}

/** The path of a linear layer in the Hugging Face model. */
function moduleName(model: Module, path: string): string {
  return metaToHfName(`${fileName(model, path)}.weight`)!.slice(0, -".weight".length);
}

/** A block's `layers.0.…` as the language model it came from numbers it: `layers.31.…`. */
function fileName(model: Module, path: string): string {
  if (!(model instanceof LlamaBlocks)) return path;
  return path.replace(layerNumber, (_, i) => `layers.${model.layerIndices[Number(i)]}.`);
}
