import { existsSync } from "node:fs";
import { extname } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import type { HostTensor, StateDict } from "../core/hostTensor";
import { openCheckpoint, readMaeCheckpoint } from "../io/checkpoint";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { ModelConfig } from "./config";
import { detectorState } from "./detector/names";
import { loadBlock } from "./llama";
import { LlamaBlocks } from "./llamaBlock";
import { llavaKey } from "./llavit/keys";
import { withOfficialNames } from "./officialNames";

/** Frozen weights that a saved model only names, read from where they lie. */
export interface ExternalWeights {
  readonly tensors: StateDict;
  readonly parameters: ReadonlyMap<string, Parameter>;
  source(path: string): string;
}

/**
 * Reads the weights that a config names in place of holding them. `elsewhere` is where the block lies now, if not there.
 * @throws LuvitError("missing-file") listing every weight that is not found. Whether they are the right ones is for the
 * caller to check.
 */
export async function readExternal(
  model: Module,
  { external, blockSource }: ModelConfig,
  where: string,
  elsewhere?: string,
): Promise<ExternalWeights> {
  const parameters = new Map(model.namedParameters());
  const tensors: StateDict = new Map();
  const sources = new Map(Object.entries(external).map(([path, { source }]) => [path, source]));
  const add = (found: StateDict, source?: string) => {
    for (const [path, tensor] of found) {
      if (!sources.has(path) || tensors.has(path)) continue;
      tensors.set(path, tensor);
      if (source !== undefined) sources.set(path, source);
    }
  };
  const prefix = blockPrefix(model);
  if (elsewhere === undefined) {
    for (const source of new Set(sources.values()))
      add(await tensorsIn(source, pathsOf(sources, source), prefix));
  }
  const missing = () => [...sources.keys()].filter((path) => !tensors.has(path));
  const checkpoint = elsewhere ?? blockSource?.checkpoint;
  if (prefix !== undefined && checkpoint && missing().some((path) => path.startsWith(prefix))) {
    const block = await loadBlock(checkpoint, { ...blockSource?.options, blocks: blockSource?.blocks });
    const [first] = [...block.namedParameters()].map(([, { source }]) => source);
    add(prefixed(await block.stateDict(), prefix), first);
    block.dispose();
  }
  const lines = missing().map((path) => `${path}: was read from ${sources.get(path)}`);
  if (lines.length === 0) return { tensors, parameters, source: (path) => sources.get(path)! };
  throw new LuvitError(
    "missing-file",
    `${where}: frozen weights that it only names are not there\n${listOffenders(lines)}\n` +
      "Put the files back, or say where the block lies now: { block: path }.",
  );
}

/** "llama." where the model has a block there. */
function blockPrefix(model: Module): string | undefined {
  const found = [...model.namedModules()].find(([, module]) => module instanceof LlamaBlocks);
  return found && `${found[0]}.`;
}

function pathsOf(sources: ReadonlyMap<string, string>, wanted: string): string[] {
  return [...sources].filter(([, source]) => source === wanted).map(([path]) => path);
}

/**
 * Those of the tensors that a file has under the model's names, under the block's own, or under names of others that models
 * are opened from: LLaVA's, mmdetection's, and transformers' of a ViT; an encoder alone is one of a larger model.
 */
async function tensorsIn(source: string, paths: readonly string[], prefix = ""): Promise<StateDict> {
  if (!existsSync(source)) return new Map();
  const isOfBlock = (path: string) => prefix !== "" && path.startsWith(prefix);
  // Pickled files of language models are large, and have names of their own.
  const isPickled = [".pth", ".pt", ".bin"].includes(extname(source));
  if (isPickled && paths.every(isOfBlock)) return new Map();
  const found = isPickled ? new Map() : await underOwnNames(source, paths, prefix);
  const missing = paths.filter((path) => !found.has(path));
  if (missing.every(isOfBlock) || extname(source) === ".gguf") return found;
  const { tensors } = withOfficialNames((await readMaeCheckpoint(source)).tensors, source);
  const { state } = detectorState(tensors);
  for (const path of missing) {
    const tensor = tensors.get(path) ?? state.get(path) ?? tensors.get(path.replace(/^vision_tower\./, ""));
    if (tensor) found.set(path, tensor);
  }
  return found;
}

async function underOwnNames(source: string, paths: readonly string[], prefix: string): Promise<StateDict> {
  const file = await openCheckpoint(source);
  try {
    const names = new Map(file.names.map((name) => [llavaKey(name) ?? name, name]));
    for (const name of file.names) names.set(name, name);
    // A block's number in its model is another one than in the file.
    const inFile = (path: string) =>
      path.startsWith(prefix) && prefix !== ""
        ? [path, path.slice(prefix.length)].find((name) => file.names.includes(name))
        : names.get(path);
    const wanted = paths.flatMap((path) => inFile(path) ?? []);
    const read = await file.readTensors(wanted);
    const named = (path: string): [string, HostTensor][] => {
      const tensor = read.get(inFile(path) ?? "");
      return tensor ? [[path, tensor]] : [];
    };
    return new Map(paths.flatMap(named));
  } finally {
    await file.close();
  }
}

function prefixed(state: StateDict, prefix: string): StateDict {
  return new Map([...state].map(([path, tensor]) => [prefix + path, tensor]));
}
