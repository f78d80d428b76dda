import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { LuvitError } from "../../core/errors";
import { beginWork, type WorkView } from "../../core/progress";
import type { ByteSource, Stretch } from "../bytes";
import { RangeRequests, type RemoteFile } from "./rangeRequests";
import { Scatter } from "./scatter";
import { type Part, partsOf, type StretchFolder } from "./stretches";
import type { HubTransport } from "./transport";

/** Connections at a time. */
const LANES = 4;
/** Most bytes of one request. */
const PIECE = 2 ** 25;
/** Small reads fetch what lies around them, because headers are read in several steps. */
const WINDOW_AT_ENDS = 2 ** 16;
const WINDOW_WITHIN = 2 ** 12;
/** Transfers that take no time are not shown. */
const LEAST_SHOWN = 2 ** 22;

/** A file of the hub, read by ranges; what was read once is kept and not asked for again. */
export class RemoteSource implements ByteSource {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  /** Bytes that came over the network. */
  received = 0;
  private readonly requests: RangeRequests;
  private readonly windows: { start: number; bytes: Uint8Array }[] = [];
  /** Why what was received could not be kept, if so. */
  cacheProblem: string | undefined;

  constructor(
    private readonly transport: HubTransport,
    private readonly file: RemoteFile,
    private readonly folder: StretchFolder,
  ) {
    this.name = file.name;
    this.path = file.path;
    this.size = file.size;
    this.requests = new RangeRequests(transport, file);
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const window = this.windows.find((each) => each.start <= start && end <= each.start + each.bytes.length);
    if (window) return window.bytes.slice(start - window.start, end - window.start);
    const around = this.windowAround({ start, end });
    let bytes = new Uint8Array();
    await this.readMany([around], (_, found) => {
      bytes = found;
    });
    if (around.end - around.start > end - start) this.windows.push({ start: around.start, bytes });
    return bytes.slice(start - around.start, end - around.start);
  }

  readMany(ranges: readonly Stretch[], use: (index: number, bytes: Uint8Array) => void): Promise<void> {
    return this.readSeen(ranges, use);
  }

  /** Fetches what is not kept of the file yet, a piece for each connection at a time; nothing of it stays in memory. */
  async fetchAll(): Promise<void> {
    const missing = partsOf({ start: 0, end: this.size }, await this.folder.kept()).filter(
      ({ kept }) => !kept,
    );
    const [wanted, before] = [lengthOf(missing), this.received];
    if (wanted === 0) return;
    this.transport.requireOnline(`${this.name}: ${wanted} bytes of it are`);
    const view = beginWork({
      label: this.name,
      total: this.size,
      kept: this.size - wanted,
      unit: "bytes",
    });
    const whole = { advance: () => view.advance(this.received - before), end: () => {} };
    try {
      for (const { start, end } of missing)
        for (let at = start; at < end; at += LANES * PIECE)
          await this.readSeen([{ start: at, end: Math.min(end, at + LANES * PIECE) }], () => {}, whole);
      view.end("done");
    } catch (error) {
      view.end("stopped");
      throw error;
    }
  }

  private async readSeen(
    ranges: readonly Stretch[],
    use: (index: number, bytes: Uint8Array) => void,
    seen?: WorkView,
  ): Promise<void> {
    for (const range of ranges) this.requireRange(range);
    const scatter = new Scatter(ranges, use);
    const kept = await this.folder.kept();
    const parts = scatter.extents().flatMap((extent) => partsOf(extent, kept));
    await fillFromFiles(parts, scatter);
    const missing = parts.filter((part) => !part.kept).flatMap(pieces);
    if (missing.length > 0) await this.fetch(missing, lengthOf(parts), scatter, seen);
  }

  /** Whether every byte of the file is kept. */
  async isComplete(): Promise<boolean> {
    const parts = partsOf({ start: 0, end: this.size }, await this.folder.kept());
    return parts.every(({ kept }) => kept !== undefined);
  }

  /**
   * Writes the whole file from what is kept, checking the SHA-256 that the hub gives for it.
   * @throws LuvitError("bad-file") when it does not agree; what was kept is then thrown away.
   */
  async assemble(path: string): Promise<void> {
    const hash = createHash("sha256");
    const handle = await open(path, "wx");
    try {
      for (let start = 0; start < this.size; start += PIECE) {
        const range = { start, end: Math.min(this.size, start + PIECE) };
        let bytes = new Uint8Array();
        await this.readMany([range], (_, found) => {
          bytes = found;
        });
        hash.update(bytes);
        await handle.writeFile(bytes);
      }
    } finally {
      await handle.close();
    }
    await this.folder.clear();
    if (hash.digest("hex") === this.file.etag) return;
    throw new LuvitError(
      "bad-file",
      `${this.name}: its content does not have the hub's SHA-256; load it again`,
    );
  }

  async close(): Promise<void> {
    this.windows.length = 0;
  }

  private async fetch(
    missing: readonly Stretch[],
    total: number,
    scatter: Scatter,
    seen?: WorkView,
  ): Promise<void> {
    const wanted = lengthOf(missing);
    this.transport.requireOnline(`${this.name}: ${wanted} bytes of it are`);
    const before = this.received;
    const download = { label: this.name, total, kept: total - wanted, unit: "bytes" } as const;
    const view = seen ?? (wanted < LEAST_SHOWN ? undefined : beginWork(download));
    const queue = missing.slice();
    const failures: unknown[] = [];
    const lane = async () => {
      for (let piece = queue.shift(); piece && failures.length === 0; piece = queue.shift()) {
        await this.fetchPiece(piece, scatter, () => view?.advance(this.received - before)).catch((error) =>
          failures.push(error),
        );
      }
    };
    await Promise.all(Array.from({ length: Math.min(LANES, missing.length) }, lane));
    view?.end(failures.length === 0 ? "done" : "stopped");
    if (failures.length > 0) throw failures[0];
  }

  private async fetchPiece(piece: Stretch, scatter: Scatter, advanced: () => void): Promise<void> {
    const views = (range: Stretch) => scatter.views(range);
    const writer = await this.folder.begin(piece.start).catch((error) => this.noteUncached(error));
    try {
      await this.requests.read(piece, (position, chunk) => {
        scatter.put(position, chunk);
        writer?.offer(position + chunk.length, views);
        this.received += chunk.length;
        advanced();
      });
    } finally {
      await writer?.finish(views).catch((error) => this.noteUncached(error));
    }
  }

  private noteUncached(error: unknown): undefined {
    this.cacheProblem = (error as Error).message;
  }

  private windowAround({ start, end }: Stretch): Stretch {
    if (end - start >= WINDOW_AT_ENDS) return { start, end };
    const tail = Math.max(0, this.size - WINDOW_AT_ENDS);
    if (start >= tail) return { start: tail, end: this.size };
    const reach = start === 0 ? WINDOW_AT_ENDS : WINDOW_WITHIN;
    return { start, end: Math.max(end, start + reach) };
  }

  private requireRange({ start, end }: Stretch): void {
    if (start >= 0 && start <= end && end <= this.size) return;
    const text = `bytes ${start} to ${end} are needed, the file has ${this.size} (damaged?)`;
    throw new LuvitError("bad-file", `${this.name}: ${text}`);
  }
}

function lengthOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { start, end }) => sum + end - start, 0);
}

function pieces({ start, end }: Stretch): Stretch[] {
  const count = Math.ceil((end - start) / PIECE);
  return Array.from({ length: count }, (_, i) => ({
    start: start + i * PIECE,
    end: Math.min(end, start + (i + 1) * PIECE),
  }));
}

/** Reads kept parts straight to where they belong. */
async function fillFromFiles(parts: readonly Part[], scatter: Scatter): Promise<void> {
  for (const part of parts) {
    if (!part.kept) continue;
    const handle = await open(part.kept.path, "r");
    let position = part.start - part.kept.start;
    try {
      for (const view of scatter.views(part)) {
        for (let at = 0; at < view.length; ) {
          const { bytesRead } = await handle.read(view, at, view.length - at, position);
          if (bytesRead === 0)
            throw new LuvitError("bad-file", `${part.kept.path}: became shorter; delete it`);
          at += bytesRead;
          position += bytesRead;
        }
      }
    } finally {
      await handle.close();
    }
    scatter.filled(part);
  }
}
