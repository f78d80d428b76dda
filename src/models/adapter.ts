import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { Rng } from "../core/rng";
import { metaToHfName, type RowOrder } from "../io/keymap";
import {
  type Adapter,
  type AdapterMapping,
  adapterFromMeta,
  adapterToMeta,
  readAdapter,
  writeAdapter,
} from "../io/peft";
import { adapterAlpha, adapterRank } from "../io/peftConfig";
import { Linear } from "../nn/layers";
import type { Module } from "../nn/module";
import { LlamaBlock } from "./llamaBlock";
import { adapters, LoraLinear, LoraReport } from "./lora";

/** A model that LLaMA adapters fit: a whole language model, or a block of one. */
type AdaptedModel = Module & { readonly config: { rowOrder: RowOrder; heads: number; kvHeads?: number } };

/**
 * Attaches a PEFT adapter to a language model, or to the block of one that it was trained for, and freezes the rest.
 * @throws LuvitError("key-mismatch") listing every adapter module this model lacks.
 */
export function applyAdapter(model: AdaptedModel, adapter: Adapter): LoraReport {
  const tensors = fromFileLayers(model, adapterToMeta(adapter.tensors, mappingOf(model)));
  const paths = [...tensors.keys()]
    .filter((key) => key.endsWith(".lora_A.weight"))
    .map((key) => key.slice(0, -14));
  const linears = new Map(
    [...model.namedModules()].filter(([, m]) => m instanceof Linear || m instanceof LoraLinear),
  );
  const misfits = paths.flatMap((path) => {
    const weight = (linears.get(path) as Linear | undefined)?.weight;
    if (!weight) return [`${path}: no such linear in this model`];
    const [outputs, inputs] = [
      tensors.get(`${path}.lora_B.weight`)!.shape[0],
      tensors.get(`${path}.lora_A.weight`)!.shape[1],
    ];
    const fits = weight.shape[0] === outputs && weight.shape[1] === inputs;
    return fits
      ? []
      : [`${path}: adapter is for [${outputs}, ${inputs}], the weight is [${weight.shape.join(", ")}]`];
  });
  if (paths.length === 0 || misfits.length > 0) {
    const reasons = paths.length === 0 ? ["it holds no tensor for a block of this model"] : misfits;
    throw new LuvitError("key-mismatch", `the adapter does not fit:\n${listOffenders(reasons)}`);
  }
  model.freeze();
  for (const path of paths)
    attachOne(model, path, linears.get(path) as Linear | LoraLinear, tensors, adapter);
  const { trainable, total } = model.counts();
  return new LoraReport(paths, trainable, total);
}

/** Reads a PEFT adapter folder and attaches it. See `applyAdapter`. */
export async function loadAdapter(model: AdaptedModel, folder: string): Promise<LoraReport> {
  return applyAdapter(model, await readAdapter(folder));
}

/** Writes a model's LoRA updates as a PEFT adapter folder (adapter_config.json, adapter_model.safetensors). */
export async function saveAdapter(model: AdaptedModel, folder: string): Promise<void> {
  const layers = adapters(model);
  if (layers.length === 0)
    throw new LuvitError("bad-argument", "saveAdapter: this model has no LoRA; call lora.attach first");
  const tensors: StateDict = new Map();
  for (const [path, layer] of layers) {
    tensors.set(`${path}.lora_A.weight`, await layer.lora_A.weight.read());
    tensors.set(`${path}.lora_B.weight`, await layer.lora_B.weight.read());
  }
  const named = adapterFromMeta(toFileLayers(model, tensors), mappingOf(model));
  const modules = [...named.keys()].map((key) => key.replace(/\.lora_[AB]\.weight$/, ""));
  const indices = modules.map((path) => Number(/layers\.(\d+)\./.exec(path)![1]));
  await writeAdapter(folder, {
    config: {
      ...ranksAndAlphas(layers.map(([path, layer]) => [moduleName(model, path), layer])),
      target_modules: [...new Set(modules.map((path) => path.split(".").at(-1)!))].sort(),
      layers_to_transform: [...new Set(indices)].sort((a, b) => a - b),
    },
    tensors: named,
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
    rankStabilised: config.use_rslora,
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

/** `layers.31.…` of the file -> `layers.0.…` of a block read as the only one; other layers are left out. */
function fromFileLayers(model: Module, tensors: StateDict): StateDict {
  if (!(model instanceof LlamaBlock)) return tensors;
  const renamed: StateDict = new Map();
  for (const [key, tensor] of tensors) {
    const position = model.layerIndices.indexOf(Number(layerNumber.exec(key)?.[1]));
    if (position >= 0) renamed.set(key.replace(layerNumber, `layers.${position}.`), tensor);
  }
  return renamed;
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
  if (!(model instanceof LlamaBlock)) return path;
  return path.replace(layerNumber, (_, i) => `layers.${model.layerIndices[Number(i)]}.`);
}
