import { LuvitError } from "../../core/errors";
import type { ListedFile } from "./cache";
import type { HubTransport } from "./transport";

/** The commit that a revision stands for. */
export async function askCommit(transport: HubTransport, revision: string): Promise<string> {
  const { modelInfo } = await import("@huggingface/hub");
  const { settings, repo } = transport;
  const common = { hubUrl: settings.endpoint, fetch: transport.fetchFor(revision) };
  return (await modelInfo({ name: repo, revision, additionalFields: ["sha"], ...common })).sha;
}

/** The files of a commit. */
export async function askListing(transport: HubTransport, revision: string): Promise<ListedFile[]> {
  const { listFiles } = await import("@huggingface/hub");
  const { settings, repo } = transport;
  const common = { hubUrl: settings.endpoint, fetch: transport.fetchFor(revision) };
  const listing: ListedFile[] = [];
  for await (const { type, path, size, oid, lfs } of listFiles({ repo, revision, ...common })) {
    if (type === "file" && oid)
      listing.push({ path, size, etag: lfs?.oid ?? oid, isLarge: lfs !== undefined });
  }
  return listing;
}

/** The hub, or what stands in its place, may answer anything. */
export function explain({ settings, repo, signal }: HubTransport, error: unknown): never {
  if (error instanceof LuvitError || signal.aborted) throw error;
  const text = `the answer about ${repo} cannot be understood (${(error as Error).message})`;
  throw new LuvitError("network", `${settings.endpoint}: ${text}; is this a hub?`, { cause: error });
}
