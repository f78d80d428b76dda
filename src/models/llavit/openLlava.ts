import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { LuvitError } from "../../core/errors";
import { type Preprocessing, usualPreprocessing } from "../../core/preprocessing";
import { readJsonObject } from "../../io/bytes";
import { CONFIG_FILE, keepCheckpoint } from "../../io/checkpoint";
import { fetchHubCheckpoint, type HubOptions, hubLocation } from "../../io/hub";
import { LlamaLanguageModel } from "../languageModel";
import { channelsBeside } from "../preprocessorConfig";
import { clipChannels } from "../towerSettings";
import { tokenizerFrom } from "./build";
import { ClipTower } from "./clip";
import { isUnused, llavaKey } from "./keys";
import { llavaSizes, type Shapes } from "./llavaConfig";
import { Llavit } from "./llavit";
import { llavaTemplate } from "./prompt";

/** What is read beside the weights. */
const BESIDE = [CONFIG_FILE, "tokenizer.json", "preprocessor_config.json"] as const;

/**
 * A LLaVA-1.5 in Hugging Face's layout (safetensors or torch's files, one or several): CLIP's encoder, projector and language
 * model. Nothing but headers is read: a tensor comes into memory when it is used, so that a model that this machine cannot
 * run can still be counted, and looked into block by block. A repository of the hub is fetched into its cache first, once
 * its config and the headers of its files say that it can be opened.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "key-mismatch" | "shape-mismatch") listing what is missing, unknown or
 * otherwise than this library computes; "network" or "no-access" saying what the hub refused.
 */
export async function openLlava(path: string, options: HubOptions = {}): Promise<Llavit> {
  const location = await hubLocation(path);
  if (!location) return openHere(path);
  const fetched = await fetchHubCheckpoint(location, options, BESIDE, async (file) => {
    await emptyModel(dirname(file.source), namedBy(await file.infos(file.names)));
  });
  return openHere(fetched.path, fetched.report.notes);
}

async function openHere(path: string, found: readonly string[] = []): Promise<Llavit> {
  const { tensors, source, folder } = await keepCheckpoint(path);
  const unused = [...tensors.keys()].filter(isUnused);
  const named = namedBy(tensors);
  const model = await emptyModel(folder, named);
  const few =
    unused.length > 0 ? [`${unused.length} tensors take no part: ${unused.slice(0, 3).join(", ")}`] : [];
  model.loaded = model.loadStateDict(named, { source, notes: [...found, ...few] });
  return model;
}

/** Under the names here, without those that take no part. */
function namedBy<T>(tensors: ReadonlyMap<string, T>): Map<string, T> {
  return new Map(
    [...tensors].filter(([name]) => !isUnused(name)).map(([name, x]) => [llavaKey(name) ?? name, x]),
  );
}

/** The model that a folder's config and the shapes of its tensors tell of, its weights still to be loaded. */
async function emptyModel(folder: string, tensors: Shapes): Promise<Llavit> {
  const configPath = join(folder, CONFIG_FILE);
  if (!existsSync(configPath)) {
    throw new LuvitError("missing-file", `${folder}: a LLaVA needs its ${CONFIG_FILE}, which is not there`);
  }
  const { clip, language, layers } = llavaSizes(
    configPath,
    (await readJsonObject(configPath)).value,
    tensors,
  );
  return new Llavit({
    tower: new ClipTower(clip),
    language: new LlamaLanguageModel(language),
    layers,
    visionMask: "causal",
    tokenizer: await tokenizerFrom(join(folder, "tokenizer.json")),
    template: llavaTemplate,
    preprocessing: await preprocessingOf(folder, clip.imageSize),
  });
}

async function preprocessingOf(folder: string, imageSize: number): Promise<Preprocessing> {
  return { ...usualPreprocessing(imageSize, 1), ...(await channelsBeside(folder, clipChannels)) };
}
