import { randomBytes } from "node:crypto";
import { copyFile, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { writeFileAtomically } from "../../core/writeAtomically";

/** A file of a repository, as the hub lists it. */
export interface ListedFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Names the content: SHA-256 of files kept in LFS or Xet, else the git blob's SHA-1. Also the cache's name for it. */
  readonly etag: string;
  readonly isLarge: boolean;
}

const COMMIT = /^[0-9a-f]{40}$/;
const ETAG = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/**
 * One repository in the hub's cache, laid out as huggingface_hub does: `refs/<revision>` holds a commit,
 * `snapshots/<commit>/<file>` links to `blobs/<etag>`. Parts of large files, which that layout does not know, lie beside
 * it under `luvit/`: `<commit>.json` lists the repository, `<etag>/` holds stretches of a file. Programs that clear the
 * repository's cache clear them with it.
 * Reference: huggingface_hub docs, "Understand caching".
 */
export class RepositoryCache {
  readonly folder: string;

  constructor(cache: string, repo: string) {
    this.folder = join(cache, `models--${repo.split("/").join("--")}`);
  }

  /** The commit a revision stood for when it was last asked about; a commit is its own. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (COMMIT.test(revision)) return revision;
    const text = await readFile(this.refPath(revision), "utf8").catch(() => "");
    return COMMIT.test(text.trim()) ? text.trim() : undefined;
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (!COMMIT.test(commit)) throw new LuvitError("network", `the hub gave "${commit}" as a commit`);
    if (revision !== commit) await writeText(this.refPath(revision), commit);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** Where the complete file lies, if it does; a blob of another commit is linked. One that was cut off counts as none. */
  async complete(commit: string, { path, etag, size }: ListedFile): Promise<string | undefined> {
    const link = join(this.snapshot(commit), path);
    if ((await lengthOf(link)) === size) return link;
    const blob = this.blobPath(etag);
    if ((await lengthOf(blob)) !== size) return undefined;
    await this.link(link, blob);
    return link;
  }

  /** Takes complete content in. */
  async store(commit: string, file: ListedFile, write: (path: string) => Promise<void>): Promise<string> {
    const blob = this.blobPath(file.etag);
    const aside = asideOf(blob);
    const link = join(this.snapshot(commit), file.path);
    makeFolder(dirname(blob));
    try {
      await write(aside);
      await rename(aside, blob);
    } finally {
      await rm(aside, { force: true });
    }
    await this.link(link, blob);
    return link;
  }

  /** Folder for stretches of a file. */
  stretches({ etag }: ListedFile): string {
    return join(this.folder, "luvit", etag);
  }

  async listing(commit: string): Promise<ListedFile[] | undefined> {
    const text = await readFile(join(this.folder, "luvit", `${commit}.json`), "utf8").catch(() => undefined);
    try {
      return text === undefined ? undefined : checkedListing(this.folder, JSON.parse(text));
    } catch {
      return undefined; // damaged: it is fetched again
    }
  }

  async rememberListing(commit: string, files: readonly ListedFile[]): Promise<void> {
    checkedListing(this.folder, files);
    await writeText(join(this.folder, "luvit", `${commit}.json`), JSON.stringify(files));
  }

  /** Names of the files that are complete. */
  async completeNames(commit: string): Promise<string[]> {
    return readdir(this.snapshot(commit)).catch(() => []);
  }

  private refPath(revision: string): string {
    const isPlain = revision.split("/").every((part) => part !== "" && part !== "." && part !== "..");
    if (isPlain && !/[\\\0]/.test(revision)) return join(this.folder, "refs", revision);
    throw new LuvitError("bad-argument", `revision: expected a branch, a tag or a commit, got "${revision}"`);
  }

  private blobPath(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  /** A relative link; where links are not allowed (Windows without developer mode) a copy. */
  private async link(path: string, blob: string): Promise<void> {
    makeFolder(dirname(path));
    const aside = asideOf(path);
    try {
      await symlink(relative(dirname(path), blob), aside).catch(() => copyFile(blob, aside));
      await rename(aside, path);
    } finally {
      await rm(aside, { force: true });
    }
  }
}

/** Refuses names and hashes that could leave the cache's folders; they come from another machine. */
function checkedListing(folder: string, value: unknown): ListedFile[] {
  if (!Array.isArray(value)) throw new LuvitError("network", `${folder}: a listing that is no list`);
  const files: ListedFile[] = value;
  const isSafe = ({ path, size, etag }: ListedFile) =>
    typeof path === "string" &&
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..") &&
    !/[\\\0]/.test(path) &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    ETAG.test(etag);
  const faults = files.filter((file) => !isSafe(file)).map((file) => brief(file));
  if (faults.length === 0) return files;
  throw new LuvitError("network", `${folder}: a listing with impossible files\n${listOffenders(faults)}`);
}

/** Bytes of a file, or of what a link leads to; undefined where there is none. */
function lengthOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function asideOf(path: string): string {
  return `${path}.${randomBytes(4).toString("hex")}.incomplete`;
}

function writeText(path: string, text: string): Promise<void> {
  return writeFileAtomically(path, (handle) => handle.writeFile(text));
}
