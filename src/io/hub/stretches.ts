import { randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../core/makeFolder";
import type { Stretch } from "../bytes";

/** A stretch of a remote file that lies in a local one, from that one's first byte on. */
export interface KeptStretch extends Stretch {
  readonly path: string;
}

/** A part of a range: kept here, or missing. */
export interface Part extends Stretch {
  readonly kept: KeptStretch | undefined;
}

/** Bytes are written once so many have come. */
const BATCH = 2 ** 22;

/**
 * Stretches of one remote file, each in a file `<first byte>.<random>` that is only ever appended to. Its length is all
 * there is to know about it: a download that was cut off, by a lost connection or the death of the process, goes on
 * where the file ends, and downloads at the same time do not disturb each other.
 */
export class StretchFolder {
  constructor(private readonly folder: string) {}

  async kept(): Promise<KeptStretch[]> {
    const names = await readdir(this.folder).catch(() => []);
    const found: KeptStretch[] = [];
    for (const name of names) {
      const start = /^(\d{1,15})\.[0-9a-f]{8}$/.exec(name)?.[1];
      if (start === undefined) continue;
      const path = join(this.folder, name);
      const size = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      if (size > 0) found.push({ path, start: Number(start), end: Number(start) + size });
    }
    return found;
  }

  async begin(start: number): Promise<StretchWriter> {
    makeFolder(this.folder);
    const path = join(this.folder, `${start}.${randomBytes(4).toString("hex")}`);
    return new StretchWriter(await open(path, "wx"), path, start);
  }

  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Appends bytes behind whoever receives them, without making them wait. */
export class StretchWriter {
  private written: number;
  private arrived: number;
  private work: Promise<void> | undefined;

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    readonly start: number,
  ) {
    this.written = start;
    this.arrived = start;
  }

  /** Bytes up to `end` are there; `views` gives them, and keeps giving them until `finish`. */
  offer(end: number, views: (range: Stretch) => Uint8Array[]): void {
    this.arrived = end;
    if (this.work || this.arrived - this.written < BATCH) return;
    this.work = this.append(views).finally(() => {
      this.work = undefined;
    });
    this.work.catch(() => {}); // finish() meets the same trouble and tells
  }

  /** Writes what is left. Throws what the file system has against it, e.g. ENOSPC. */
  async finish(views: (range: Stretch) => Uint8Array[]): Promise<void> {
    try {
      await this.work?.catch(() => {});
      await this.append(views);
    } finally {
      await this.handle.close();
      if (this.written === this.start) await rm(this.path, { force: true });
    }
  }

  private async append(views: (range: Stretch) => Uint8Array[]): Promise<void> {
    const end = this.arrived;
    for (const view of views({ start: this.written, end })) {
      for (let at = 0; at < view.length; ) {
        const { bytesWritten } = await this.handle.write(view, at, view.length - at);
        at += bytesWritten;
        this.written += bytesWritten;
      }
    }
  }
}

/** Divides a range into what is kept and what is not. */
export function partsOf({ start, end }: Stretch, kept: readonly KeptStretch[]): Part[] {
  const parts: Part[] = [];
  for (let at = start; at < end; ) {
    const holding = kept.filter((each) => each.start <= at && at < each.end);
    const longest = holding.reduce<KeptStretch | undefined>(
      (best, each) => (best && best.end >= each.end ? best : each),
      undefined,
    );
    const next = Math.min(end, ...kept.map((each) => each.start).filter((first) => first > at));
    const until = longest ? Math.min(end, longest.end) : next;
    parts.push({ start: at, end: until, kept: longest });
    at = until;
  }
  return parts;
}
