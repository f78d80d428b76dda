import { stat } from "node:fs/promises";
import { join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { formatShape, type StateDict } from "../../core/hostTensor";
import { checkOptions, object, path, shaped } from "../../core/options";
import { writeFileAtomically } from "../../core/writeAtomically";
import { readJsonObject } from "../bytes";
import { openCheckpoint } from "../checkpoint";
import { convertRowOrder, hfToMetaName, metaToHfName, type RowOrder } from "../llama";
import { tensorsField } from "../options";
import { writeSafetensors } from "../safetensors";
import { type AdapterConfig, adapterDefaults, adapterRank, parseAdapterConfig } from "./config";

/** A LoRA adapter as PEFT stores it. */
export interface Adapter {
  readonly config: AdapterConfig;
  /**
   * `<module path>.lora_A.weight` [r, in] and `<module path>.lora_B.weight` [out, r]; the module path is that of the base
   * model, e.g. `model.layers.1.self_attn.q_proj`.
   */
  readonly tensors: StateDict;
  /** Parameters that came whole (`modules_to_save`, or the base weight under LoRA), by path: `lm_head.weight`. */
  readonly whole?: StateDict;
  /** Names of tensors that were not asked for. */
  readonly leftOut?: readonly string[];
}

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const OLD_WEIGHTS = "adapter_model.bin";
const PREFIX = "base_model.model.";
/** A parameter of the base model, not of LoRA. */
const WHOLE_PARAMETER = /^(?!.*\.lora_)(?:.+\.)?(?:weight|bias)$/;
const LORA_TENSOR = /^(.+)\.lora_([AB])\.weight$/;

/**
 * Reads a folder written by PEFT's `save_pretrained`: the tensors whose names in the base model `isWanted` (all by
 * default).
 * Reference: peft src/peft/utils/save_and_load.py.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "key-mismatch" | "shape-mismatch"): "missing-file", "bad-file" for
 * variants of LoRA that are not supported, "key-mismatch" listing tensors that are neither LoRA pairs nor whole
 * parameters, "shape-mismatch" listing pairs whose rank is not the configured one.
 */
export async function readAdapter(
  folder: string,
  isWanted: (name: string) => boolean = () => true,
): Promise<Adapter> {
  checkOptions("readAdapter", path, folder);
  const configPath = join(folder, CONFIG);
  const config = parseAdapterConfig(configPath, (await readJsonObject(configPath)).value);
  const hasSafetensors = await stat(join(folder, WEIGHTS)).catch(() => undefined);
  const file = await openCheckpoint(join(folder, hasSafetensors ? WEIGHTS : OLD_WEIGHTS));
  try {
    const wanted = file.names.filter((name) => isWanted(baseName(name)));
    const [tensors, whole]: StateDict[] = [new Map(), new Map()];
    for (const [name, tensor] of await file.readTensors(wanted)) {
      const plain = baseName(name);
      (WHOLE_PARAMETER.test(plain) ? whole : tensors).set(plain, tensor);
    }
    requireLoraPairs(file.source, config, tensors, file.names.length);
    const leftOut = file.names.filter((name) => !wanted.includes(name)).map(baseName);
    return { config, tensors, whole, leftOut };
  } finally {
    await file.close();
  }
}

/** The name of an adapter's tensor in the base model: without PEFT's wrappers, and the adapter's own name ("default"). */
function baseName(name: string): string {
  const plain = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  return plain
    .replace(/\.lora_([AB])\.default\.weight$/, ".lora_$1.weight")
    .replace(/\.(?:base_layer|modules_to_save(?:\.default)?)\.(weight|bias)$/, ".$1");
}

/**
 * Writes adapter_config.json (sorted keys) and adapter_model.safetensors so that `PeftModel.from_pretrained` reads them.
 * Names are as in `Adapter`; missing config keys get PEFT's defaults.
 *
 * @throws LuvitError as `readAdapter`.
 */
export async function writeAdapter(
  folder: string,
  adapter: Omit<Adapter, "config"> & { config: Partial<AdapterConfig> },
): Promise<void> {
  checkOptions("writeAdapter", path, folder);
  checkOptions("writeAdapter", shaped("an adapter { config, tensors }", "config", "tensors"), adapter);
  checkOptions("writeAdapter", object({ tensors: tensorsField }, {}), { tensors: adapter.tensors });
  const { config, tensors, whole = new Map() } = adapter;
  const modules = new Set([...whole.keys()].map(moduleOf));
  const adapted = new Set([...tensors.keys()].map((name) => LORA_TENSOR.exec(name)?.[1]));
  const saved = [...modules].filter((path) => !adapted.has(path));
  const complete = parseAdapterConfig(folder, {
    ...adapterDefaults,
    ...(saved.length > 0 && { modules_to_save: saved }),
    ...config,
  });
  requireLoraPairs(folder, complete, tensors, tensors.size);
  const prefixed: StateDict = new Map();
  for (const [name, tensor] of tensors) prefixed.set(PREFIX + name, tensor);
  for (const [name, tensor] of whole) {
    const stored = adapted.has(moduleOf(name)) ? name.replace(/(\w+)$/, "base_layer.$1") : name;
    prefixed.set(PREFIX + stored, tensor);
  }
  await writeSafetensors(join(folder, WEIGHTS), prefixed, { metadata: { format: "pt" } });
  const sorted = Object.fromEntries(Object.entries(complete).sort(([a], [b]) => (a < b ? -1 : 1)));
  // Python tells 0.0 from 0; PEFT declares the dropout as a float.
  const text = JSON.stringify(sorted, null, 2).replace(/("lora_dropout": \d+)(,?)$/m, "$1.0$2");
  await writeFileAtomically(join(folder, CONFIG), (handle) => handle.writeFile(text));
}

/** What converting between PEFT's and Meta's names needs to know about the base model. */
export interface AdapterMapping {
  /** Order of the q and k rows of the Meta-named side; PEFT's side is always "hf". Default "hf": nothing is permuted. */
  rowOrder?: RowOrder;
  /** Needed for rowOrder "meta". */
  heads?: number;
  /** Default: `heads`. */
  kvHeads?: number;
}

/**
 * Adapter tensors by Meta block paths: `layers.1.attention.wq.lora_A.weight`. With rowOrder "meta" the lora_B rows of q
 * and k are permuted too.
 *
 * @throws LuvitError("key-mismatch") listing modules that LLaMA does not have.
 */
export function adapterToMeta(tensors: StateDict, mapping: AdapterMapping = {}): StateDict {
  const renamed = renameAll(tensors, hfToMetaName);
  return permuteForMapping(renamed, mapping, "hf", mapping.rowOrder ?? "hf");
}

/** The inverse of `adapterToMeta`. */
export function adapterFromMeta(tensors: StateDict, mapping: AdapterMapping = {}): StateDict {
  return renameAll(permuteForMapping(tensors, mapping, mapping.rowOrder ?? "hf", "hf"), metaToHfName);
}

function permuteForMapping(
  tensors: StateDict,
  { heads, kvHeads = heads }: AdapterMapping,
  from: RowOrder,
  to: RowOrder,
): StateDict {
  if (from === to) return tensors;
  if (heads === undefined || kvHeads === undefined) {
    throw new LuvitError("bad-argument", "permuting q and k rows of an adapter needs the number of heads");
  }
  return convertRowOrder(tensors, { heads, kvHeads }, from, to);
}

function renameAll(tensors: StateDict, rename: (name: string) => string | undefined): StateDict {
  const renamed: StateDict = new Map();
  const unknown: string[] = [];
  for (const [name, tensor] of tensors) {
    const other = rename(name);
    if (other === undefined) unknown.push(name);
    else renamed.set(other, tensor);
  }
  if (unknown.length === 0) return renamed;
  throw new LuvitError(
    "key-mismatch",
    `these adapter tensors belong to no LLaMA module\n${listOffenders(unknown)}`,
  );
}

/** `lm_head.weight` -> `lm_head`. */
function moduleOf(parameter: string): string {
  return parameter.slice(0, parameter.lastIndexOf("."));
}

/** `count`: tensors of the whole file, those that are not asked for among them. */
function requireLoraPairs(source: string, config: AdapterConfig, tensors: StateDict, count: number): void {
  const foreign: string[] = [];
  const wrong: string[] = [];
  for (const [name, { shape }] of tensors) {
    const [, module, side] = LORA_TENSOR.exec(name) ?? [];
    if (module === undefined) {
      foreign.push(`${name}: neither lora_A.weight nor lora_B.weight`);
      continue;
    }
    const partner = `${module}.lora_${side === "A" ? "B" : "A"}.weight`;
    if (!tensors.has(partner)) foreign.push(`${partner}: missing`);
    const rank = adapterRank(config, module);
    const fits = shape.length === 2 && shape[side === "A" ? 0 : 1] === rank;
    const expected = side === "A" ? `[${rank}, in]` : `[out, ${rank}]`;
    if (!fits) wrong.push(`${name}: expected ${expected}, got ${formatShape(shape)}`);
  }
  if (count === 0) foreign.push("no tensors at all");
  if (foreign.length > 0) {
    throw new LuvitError(
      "key-mismatch",
      `${source}: not a LoRA adapter\n${listOffenders([...foreign, ...wrong])}`,
    );
  }
  if (wrong.length > 0) throw new LuvitError("shape-mismatch", `${source}: adapter\n${listOffenders(wrong)}`);
}
