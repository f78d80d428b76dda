import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join, posix, relative, sep } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { type ByteSource, fileSource } from "../bytes";
import { type CheckpointPlace, CONFIG_FILES, chooseWeights } from "../checkpoint";
import { type ListedFile, RepositoryCache } from "./cache";
import { askCommit, askListing, explain } from "./listing";
import { RemoteSource } from "./remoteSource";
import { StretchFolder } from "./stretches";
import { type HubTransport, Unreachable } from "./transport";

/** Small files are fetched whole; configs and indices are far smaller. */
const LARGEST_WHOLE = 64 * 2 ** 20;

/** A repository of the hub at one commit. */
export class HubRepository {
  /** What its user should know, e.g. that the hub did not answer and the cache was taken. */
  readonly notes: string[] = [];
  private readonly sources: RemoteSource[] = [];
  private wholeBytes = 0;
  private readonly transport: HubTransport;
  private readonly cache: RepositoryCache;
  readonly commit: string;
  private readonly listing: ReadonlyMap<string, ListedFile>;
  /** Files that are complete here; all there is to know where the hub was never asked for its list. */
  private readonly complete: readonly string[];

  private constructor(parts: {
    transport: HubTransport;
    cache: RepositoryCache;
    commit: string;
    listing: ReadonlyMap<string, ListedFile>;
    complete: readonly string[];
  }) {
    const { transport, cache, commit, listing, complete } = parts;
    this.transport = transport;
    this.cache = cache;
    this.commit = commit;
    this.listing = listing;
    this.complete = complete;
  }

  /**
   * Finds out the commit of a revision and its files: from the hub, or, offline or where nobody answers, from the cache.
   * @throws LuvitError "missing-file", "no-access" or "network" saying what the hub refused or what is not cached.
   */
  static async open(transport: HubTransport, revision: string): Promise<HubRepository> {
    const { settings, repo } = transport;
    const cache = new RepositoryCache(settings.cache, repo);
    try {
      return await HubRepository.ask(transport, cache, revision);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      const cached = await HubRepository.recall(transport, cache, revision);
      if (!cached) throw error;
      if (!settings.offline)
        cached.notes.push(`${error.message}; taken from the cache, commit ${cached.commit}`);
      return cached;
    }
  }

  get names(): string[] {
    return [...new Set([...this.listing.keys(), ...this.complete])];
  }

  /** Bytes that came over the network. */
  get received(): number {
    return this.sources.reduce((sum, { received }) => sum + received, this.wholeBytes);
  }

  /** The name in the repository of a file of `place`. */
  nameOf(path: string): string {
    return relative(this.folder, path).split(sep).join("/");
  }

  has(name: string): boolean {
    return this.names.includes(name);
  }

  private get folder(): string {
    return this.cache.snapshot(this.commit);
  }

  /** The repository as a checkpoint: its config and index are fetched, its weights read by ranges. */
  async place(chosen?: string): Promise<CheckpointPlace> {
    const { names } = this;
    if (chosen !== undefined && !names.includes(chosen)) throw this.missing(chosen);
    const weights = chosen ?? chooseWeights(this.addressed(""), names);
    const whole = names.filter((name) => name === weights && name.endsWith(".json"));
    const inside = posix.dirname(weights);
    const config = CONFIG_FILES.map((name) => posix.join(inside, name)).find((name) => names.includes(name));
    for (const name of config ? [...whole, config] : whole) await this.fetchWhole(name);
    makeFolder(join(this.folder, inside));
    return {
      source: join(this.folder, weights),
      beside: names.filter((name) => posix.dirname(name) === inside).map((name) => posix.basename(name)),
      exists: async (path) => names.includes(this.nameOf(path)),
      open: (path) => this.source(this.nameOf(path)),
    };
  }

  /** A small file as a file of this machine, checked against the hash the hub gives for it. */
  async fetchWhole(name: string): Promise<string> {
    const file = this.listing.get(name);
    if (!file) return join(this.folder, name);
    const here = await this.cache.complete(this.commit, file);
    if (here) return here;
    this.transport.requireOnline(`${this.addressed(name)} is`);
    if (file.size > LARGEST_WHOLE) {
      throw new LuvitError(
        "bad-file",
        `${this.addressed(name)}: ${file.size} bytes, too many for a config or an index`,
      );
    }
    const ask = this.transport.fetchFor(this.commit, name);
    const answer = await ask(this.addressOf(name));
    const bytes = new Uint8Array(await answer.arrayBuffer());
    this.wholeBytes += bytes.length;
    this.requireContent(file, bytes);
    return this.cache.store(this.commit, file, (path) => writeFile(path, bytes, { flag: "wx" }));
  }

  /** A file of any size: the complete one where it is cached, else read by ranges. */
  async source(name: string): Promise<ByteSource> {
    const file = this.listing.get(name);
    if (!file) return fileSource(join(this.folder, name));
    const here = await this.cache.complete(this.commit, file);
    if (here) return fileSource(here);
    const remote = { ...file, name: this.addressed(name), commit: this.commit };
    const source = new RemoteSource(this.transport, remote, new StretchFolder(this.cache.stretches(file)));
    this.sources.push(source);
    return source;
  }

  /**
   * A file of any size as one of this machine, checked against the hash that the hub gives for it.
   * @throws LuvitError "network", "no-access" or "bad-file" naming the file that could not be had or kept.
   */
  async fetchFile(name: string): Promise<string> {
    const file = this.listing.get(name);
    if (!file?.isLarge) return this.fetchWhole(name);
    const source = await this.source(name);
    if (source instanceof RemoteSource) {
      await source.fetchAll();
      if (source.cacheProblem)
        throw new LuvitError("bad-file", `${source.name}: could not be kept: ${source.cacheProblem}`);
      await this.cache.store(this.commit, file, (path) => source.assemble(path));
      this.sources.splice(this.sources.indexOf(source), 1);
      this.wholeBytes += source.received;
    } else await source.close();
    return join(this.folder, name);
  }

  /** Files that were read whole are checked and put among the complete ones; of the others, says why they were not. */
  async settle(): Promise<void> {
    for (const source of this.sources) {
      const file = this.listing.get(source.path)!;
      if (await this.cache.complete(this.commit, file)) continue;
      if (source.cacheProblem) this.notes.push(`${source.name} could not be cached: ${source.cacheProblem}`);
      else if (file.isLarge && (await source.isComplete())) {
        await this.cache.store(this.commit, file, (path) => source.assemble(path));
      } else if (source.received > 0) {
        this.notes.push(
          `${source.name}: read in part, so that the hub's SHA-256, which is of the whole file, could not be checked`,
        );
      }
    }
  }

  private addressed(name: string): string {
    return `hf://${this.transport.repo}@${this.commit.slice(0, 8)}${name && `/${name}`}`;
  }

  private addressOf(name: string): string {
    const { settings, repo } = this.transport;
    return `${settings.endpoint}/${repo}/resolve/${this.commit}/${name.split("/").map(encodeURIComponent).join("/")}`;
  }

  private missing(name: string): LuvitError {
    const text = `no such file; the repository holds\n${listOffenders(this.names.slice().sort(), 20)}`;
    return new LuvitError("missing-file", `${this.addressed(name)}: ${text}`);
  }

  private requireContent({ path, size, etag, isLarge }: ListedFile, bytes: Uint8Array): void {
    const hash = isLarge ? createHash("sha256") : createHash("sha1").update(`blob ${bytes.length}\0`);
    const found = hash.update(bytes).digest("hex");
    if (found === etag) return;
    const text = `${bytes.length} bytes with hash ${found} came, ${size} bytes with hash ${etag} were expected`;
    throw new LuvitError("bad-file", `${this.addressed(path)}: ${text}; load it again`);
  }

  private static async ask(
    transport: HubTransport,
    cache: RepositoryCache,
    revision: string,
  ): Promise<HubRepository> {
    const recalled = (await cache.commitOf(revision)) === revision && (await cache.listing(revision));
    if (recalled) return HubRepository.at(transport, cache, revision, recalled);
    transport.requireOnline(`${transport.repo} at ${revision}: its list of files is`);
    const sha = await askCommit(transport, revision).catch((error) => explain(transport, error));
    await cache.rememberCommit(revision, sha);
    const known = await cache.listing(sha);
    if (known && known.length > 0) return HubRepository.at(transport, cache, sha, known);
    const listing = await askListing(transport, sha).catch((error) => explain(transport, error));
    await cache.rememberListing(sha, listing);
    return HubRepository.at(transport, cache, sha, listing);
  }

  private static async recall(
    transport: HubTransport,
    cache: RepositoryCache,
    revision: string,
  ): Promise<HubRepository | undefined> {
    const commit = await cache.commitOf(revision);
    if (!commit) return undefined;
    const listing = (await cache.listing(commit)) ?? [];
    const found = await HubRepository.at(transport, cache, commit, listing);
    return found.names.length > 0 ? found : undefined;
  }

  private static async at(
    transport: HubTransport,
    cache: RepositoryCache,
    commit: string,
    listing: readonly ListedFile[],
  ): Promise<HubRepository> {
    const byName = new Map(listing.map((file) => [file.path, file]));
    return new HubRepository({
      transport,
      cache,
      commit,
      listing: byName,
      complete: await cache.completeNames(commit),
    });
  }
}
