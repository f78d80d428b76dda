import { mkdirSync } from "node:fs";
import { after, before, beforeEach } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { writeHuggingFaceCheckpoint } from "../../../../src/io/llama/huggingFaceCheckpoint";
import type { LlamaBlockOptions } from "../../../../src/io/llama/weights";
import { type HubOptions, Imitation } from "../../../support/hubImitation";
import { temporaryFolder, tinyLanguageModel, tinyLlama } from "../support";

export const layers = 4;
export const config = { ...tinyLlama, dim: 256, heads: 4, kvHeads: 4, hiddenDim: 704 };
/** Bytes of one block: four square matrices, three of the feed-forward part, two norms. */
export const blockBytes = 4 * (4 * 256 * 256 + 3 * 256 * 704 + 2 * 256);

let model: StateDict | undefined;

export function languageModel(): StateDict {
  model ??= tinyLanguageModel(layers, config);
  return model;
}

/** Layer `layer` as the one of a block. */
export function blockOf(layer: number): StateDict {
  const own = [...languageModel()].filter(([name]) => name.startsWith(`layers.${layer}.`));
  return new Map(own.map(([name, tensor]) => [name.replace(/\d+/, "0"), tensor]));
}

/** Fills a folder with the model in shards of about one and a half blocks. */
export async function writeCheckpoint(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const sharding = { dtype: "F32", maxShardBytes: 1.5 * blockBytes } as const;
  await writeHuggingFaceCheckpoint(folder, languageModel(), config, sharding);
}

const running: Imitation[] = [];
after(() => Promise.all(running.map((hub) => hub.stop())));

export async function startHub(options: HubOptions): Promise<Imitation> {
  const hub = await Imitation.start(options);
  running.push(hub);
  return hub;
}

/** A folder with the model, and the hub that serves it to the tests of a file; it behaves at the beginning of each. */
export function servedCheckpoint(use: (hub: Imitation) => void): string {
  const folder = temporaryFolder();
  let hub: Imitation;
  before(async () => {
    await writeCheckpoint(folder);
    hub = await startHub({ folder });
    use(hub);
  });
  beforeEach(() => {
    hub.behave();
    hub.forget();
  });
  return folder;
}

/** What to ask that imitation with, and where to keep what comes. */
export function asking(
  { endpoint }: { endpoint: string },
  cache = temporaryFolder(),
): LlamaBlockOptions & { hub: { cache: string } } {
  return { hub: { endpoint, cache, token: undefined, offline: false, retryDelay: 5, idleTimeout: 2000 } };
}
