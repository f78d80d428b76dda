import {
  linkSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { isRunning, startOf } from "../../core/processes";
import { writeFailure } from "../../core/writeAtomically";

/** Who writes to a run's folder. */
export interface LockHolder {
  readonly pid: number;
  /** Tells processes of the same number apart, where the system says it. */
  readonly start?: string;
  readonly host: string;
  readonly since: string;
}

export const LOCK_FILE = "run.lock";

/** How often a holder says that it is still there, and how long others on other machines believe it. */
const BEAT_MS = 20_000;
const BELIEVED_MS = 15 * 60_000;

let names = 0;

/**
 * A folder that belongs to one run of one process until it lets go or its process ends, however that ends: a lock whose
 * process is gone (or has another start: its number was given to another) counts for nothing. Of processes of other
 * machines, which cannot be asked, a lock counts as long as it is renewed.
 */
export class RunLock {
  private readonly beat: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly content: string,
  ) {
    this.beat = setInterval(() => this.renew(), BEAT_MS).unref();
  }

  /**
   * Takes the lock of a folder that exists, or says who has it.
   * @throws LuvitError("bad-file") when the disk refuses.
   */
  static take(folder: string): RunLock | LockHolder {
    const path = join(folder, LOCK_FILE);
    const self = { pid: process.pid, start: startOf(process.pid), host: hostname() };
    const content = JSON.stringify({ ...self, since: new Date().toISOString(), name: names++ });
    for (;;) {
      if (create(path, content)) return new RunLock(path, content);
      const found = readText(path);
      if (found === undefined) continue; // let go of just now
      const holder = holderIn(found);
      if (holder && holds(path, holder)) return holder;
      takeAway(path, found);
    }
  }

  /** Lets others have the folder. */
  release(): void {
    clearInterval(this.beat);
    if (this.isThere()) rmSync(this.path, { force: true });
  }

  private isThere(): boolean {
    try {
      return readText(this.path) === this.content;
    } catch {
      return false; // something else was put in its place
    }
  }

  private renew(): void {
    try {
      const now = new Date();
      utimesSync(this.path, now, now);
    } catch {
      // The folder was taken away; whoever writes next says so.
    }
  }
}

/** Exclusively, and with its content at once, so that nobody finds it half written: false where there is one. */
function create(path: string, content: string): boolean {
  const ready = `${path}.${process.pid}-${names++}`;
  try {
    writeFileSync(ready, content, { flag: "wx" });
    return linked(ready, path, content);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw writeFailure(path, cause);
  } finally {
    rmSync(ready, { force: true });
  }
}

/** File systems without hard links make the file and then fill it. */
function linked(ready: string, path: string, content: string): true {
  try {
    linkSync(ready, path);
  } catch (cause) {
    if (!["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes((cause as NodeJS.ErrnoException).code ?? ""))
      throw cause;
    writeFileSync(path, content, { flag: "wx" });
  }
  return true;
}

/** Undefined where nothing is; a link or a pipe at the lock's place is nobody's lock. */
function readText(path: string): string | undefined {
  try {
    if (lstatSync(path).isFile() === false)
      throw new LuvitError("bad-file", `${path}: not a regular file; it holds the folder's lock`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw writeFailure(path, cause);
  }
}

/** Undefined for what a crash left half written. */
function holderIn(text: string): LockHolder | undefined {
  try {
    const { pid, start, host, since } = JSON.parse(text);
    const known = Number.isInteger(pid) && pid > 0 && typeof host === "string" && typeof since === "string";
    return known ? { pid, start, host, since } : undefined;
  } catch {
    return undefined;
  }
}

function holds(path: string, { pid, start, host }: LockHolder): boolean {
  if (host !== hostname()) return Date.now() - (modified(path) ?? 0) < BELIEVED_MS;
  if (!isRunning(pid)) return false;
  const now = startOf(pid);
  return start === undefined || now === undefined || start === now;
}

function modified(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** Removes a lock that counts for nothing; one that somebody else put in its place meanwhile is put back. */
function takeAway(path: string, expected: string): void {
  const aside = `${path}.${process.pid}-${names++}`;
  try {
    renameSync(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw writeFailure(path, cause);
  }
  try {
    if (readText(aside) !== expected) linkSync(aside, path);
  } catch {
    // A third was faster; it holds the lock now.
  }
  rmSync(aside, { force: true });
}
