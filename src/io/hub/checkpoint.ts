import { posix } from "node:path";
import { LuvitError } from "../../core/errors";
import { optionsOf, signal, text } from "../../core/options";
import { interruptible } from "../../core/stopRequest";
import { openCheckpointAt, type WeightFile } from "../checkpoint";
import { plainObject } from "../options";
import type { HubLocation } from "./location";
import { HubRepository } from "./repository";
import { type HubSettings, hubSettings } from "./settings";
import { HubTransport } from "./transport";

/** How to ask the hub; of no effect for files of this machine. */
export interface HubOptions {
  /** Branch, tag or commit; default "main". A commit that was loaded before is not asked about again. */
  revision?: string;
  /** Instead of what the environment says: endpoint, token, cache and so on. */
  hub?: Partial<HubSettings>;
  /** Ends a download early, as the stop button does; what has come is kept. */
  signal?: AbortSignal;
}

export const hubOptions = optionsOf<HubOptions>(
  {},
  { revision: text, hub: plainObject("an object of the hub's settings"), signal },
);

/** What reading from the hub took. */
export interface HubReport {
  /** Bytes that came over the network, without headers of HTTP. */
  readonly bytesReceived: number;
  readonly notes: readonly string[];
}

/**
 * Lets `use` read weights of a repository by ranges. The stop button ends it.
 * @throws LuvitError "network", "no-access", "missing-file", "interrupted" or what `use` throws.
 */
export async function withHubCheckpoint<Result>(
  location: HubLocation,
  options: HubOptions,
  use: (file: WeightFile, repository: HubRepository) => Promise<Result>,
): Promise<{ result: Result; report: HubReport }> {
  const { repo } = location;
  const revision = location.revision ?? options.revision ?? "main";
  const settings = await hubSettings(process.env, options.hub);
  return interruptible(options.signal, `loading ${repo}`, async (signal) => {
    const transport = new HubTransport(settings, repo, signal);
    try {
      const repository = await HubRepository.open(transport, revision).catch((error) =>
        explain(location, error),
      );
      const file = await openCheckpointAt(await repository.place(location.file));
      try {
        const result = await use(file, repository);
        await repository.settle();
        return { result, report: { bytesReceived: repository.received, notes: repository.notes } };
      } finally {
        await file.close();
      }
    } finally {
      await transport.close();
    }
  });
}

/**
 * Fetches the weights of a repository into the cache, file by file, with what lies beside them under the names given, and
 * gives back where they lie: for models too large to be held, whose tensors are then read from there. `accept` sees their
 * headers before, and may refuse.
 *
 * @throws LuvitError as `withHubCheckpoint`.
 */
export async function fetchHubCheckpoint(
  location: HubLocation,
  options: HubOptions,
  beside: readonly string[],
  accept: (file: WeightFile) => Promise<void>,
): Promise<{ path: string; report: HubReport }> {
  const { result, report } = await withHubCheckpoint(location, options, async (file, repository) => {
    await file.infos(file.names); // opens every file that there is
    await accept(file);
    const inside = posix.dirname(repository.nameOf(file.source));
    const weights = [...file.files].map((path) => repository.nameOf(path));
    const wanted = beside.map((name) => posix.join(inside, name)).filter((name) => repository.has(name));
    for (const name of wanted) await repository.fetchWhole(name);
    for (const name of weights) await repository.fetchFile(name);
    return file.source;
  });
  return { path: result, report };
}

/** A path that was mistyped looks like a repository, too. */
function explain({ repo, isGuess }: HubLocation, error: unknown): never {
  if (!isGuess || !(error instanceof LuvitError) || error.code === "interrupted") throw error;
  throw new LuvitError(error.code, `${repo}: there is no such folder here, and of the hub: ${error.message}`);
}
