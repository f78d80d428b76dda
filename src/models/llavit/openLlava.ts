import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { type Preprocessing, usualPreprocessing } from "../../core/preprocessing";
import { readJsonObject } from "../../io/bytes";
import { CONFIG_FILE, keepCheckpoint } from "../../io/checkpoint";
import { LlamaLanguageModel } from "../languageModel";
import { channelsBeside } from "../preprocessorConfig";
import { clipChannels } from "../towerSettings";
import { tokenizerFrom } from "./build";
import { ClipTower } from "./clip";
import { isUnused, llavaKey } from "./keys";
import { llavaSizes } from "./llavaConfig";
import { Llavit } from "./llavit";
import { llavaTemplate } from "./prompt";

/**
 * A LLaVA-1.5 in Hugging Face's layout (safetensors, one file or several): CLIP's encoder, projector and language model.
 * Nothing but headers is read: a tensor comes into memory when it is used, so that a model that this machine cannot run can
 * still be counted, and looked into block by block.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "key-mismatch" | "shape-mismatch") listing what is missing, unknown or
 * otherwise than this library computes.
 */
export async function openLlava(path: string): Promise<Llavit> {
  const { tensors, source, folder } = await keepCheckpoint(path);
  const configPath = join(folder, CONFIG_FILE);
  if (!existsSync(configPath)) {
    throw new LuvitError("missing-file", `${folder}: a LLaVA needs its ${CONFIG_FILE}, which is not there`);
  }
  const unused = [...tensors.keys()].filter(isUnused);
  const named: StateDict = new Map(
    [...tensors].filter(([name]) => !isUnused(name)).map(([name, x]) => [llavaKey(name) ?? name, x]),
  );
  const { clip, language, layers } = llavaSizes(configPath, (await readJsonObject(configPath)).value, named);
  const model = new Llavit({
    tower: new ClipTower(clip),
    language: new LlamaLanguageModel(language),
    layers,
    visionMask: "causal",
    tokenizer: await tokenizerFrom(join(folder, "tokenizer.json")),
    template: llavaTemplate,
    preprocessing: await preprocessingOf(folder, clip.imageSize),
  });
  const notes =
    unused.length > 0 ? [`${unused.length} tensors take no part: ${unused.slice(0, 3).join(", ")}`] : [];
  model.loaded = model.loadStateDict(named, { source, notes });
  return model;
}

async function preprocessingOf(folder: string, imageSize: number): Promise<Preprocessing> {
  return { ...usualPreprocessing(imageSize, 1), ...(await channelsBeside(folder, clipChannels)) };
}
