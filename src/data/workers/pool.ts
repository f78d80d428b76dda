import { availableParallelism } from "node:os";
import { LuvitError } from "../../core/errors";
import { hereReader, type PictureJob, type PictureReader } from "../pictureReader";
import type { ReadRequest, ReadSuccess } from "./messages";
import { type PendingRead, ReadingThread } from "./readingThread";
import { recipeOf } from "./recipes";

/** Threads that have nothing to do for this long are ended. */
const IDLE_MS = 30_000;

/** Threads a picture may cost before it is given up. */
const MAX_LOSSES = 2;

/** Samples of at most this many pixels a side are made faster than they are sent. */
const SMALL_SIDE = 96;

/** Threads for samples of a size where none are asked for: half of the cores, the engine needs them too. */
export function defaultWorkers(side: number): number {
  if (side <= SMALL_SIDE) return 0;
  return Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
}

/**
 * Reads pictures in worker threads, started with the first picture and ended when nobody has asked for a while.
 * Transforms that are not of this library run in the calling thread. A thread that ends by itself is reported as a
 * process warning and replaced, its pictures read again.
 */
export class ReadingPool implements PictureReader {
  private threads: ReadingThread[] = [];
  private nextId = 0;
  private idle: NodeJS.Timeout | undefined;

  constructor(readonly size: number) {}

  async read(job: PictureJob): Promise<Float32Array> {
    const recipe = recipeOf(job.transform);
    if (!recipe) return hereReader.read(job);
    const { path, cache } = job;
    const pixels = cache.peek(path);
    const keep = !pixels && cache.hasRoom;
    const stored = job.stored && !pixels ? await job.stored() : undefined;
    const seed = job.rng.seed;
    const request = { id: this.nextId++, path, stored, decode: cache.options, pixels, keep, recipe, seed };
    const reply = await this.ask(request);
    if (reply.pixels) cache.put(path, reply.pixels);
    return reply.image;
  }

  /** Ends the threads; the next picture starts new ones. */
  async close(): Promise<void> {
    clearTimeout(this.idle);
    const ended = this.threads;
    this.threads = [];
    await Promise.all(ended.map((thread) => thread.close()));
  }

  private ask(request: ReadRequest): Promise<ReadSuccess> {
    clearTimeout(this.idle);
    const reply = new Promise<ReadSuccess>((resolve, reject) => {
      this.leastBusy().send({ request, losses: 0, resolve, reject });
    });
    return reply.finally(() => this.closeWhenIdle());
  }

  private leastBusy(): ReadingThread {
    const free = this.threads.find(({ load }) => load === 0);
    if (free) return free;
    if (this.threads.length < this.size) return this.start();
    return this.threads.reduce((best, thread) => (thread.load < best.load ? thread : best));
  }

  private start(): ReadingThread {
    const thread = new ReadingThread((reason, left) => {
      this.threads = this.threads.filter((other) => other !== thread);
      process.emitWarning(
        `data: a reading thread ended (${reason}); another one reads its ${left.length} pictures`,
      );
      for (const read of left) this.readAgain(read, reason);
    });
    this.threads.push(thread);
    return thread;
  }

  private readAgain(read: PendingRead, reason: string): void {
    const losses = read.losses + 1;
    if (losses < MAX_LOSSES) {
      this.leastBusy().send({ ...read, losses });
      return;
    }
    const message = `${read.request.path}: ${losses} reading threads ended over it, the last one: ${reason}`;
    read.reject(new LuvitError("bad-dataset", `${message}; try workers: 0`));
  }

  private closeWhenIdle(): void {
    clearTimeout(this.idle);
    if (this.threads.every(({ load }) => load === 0)) {
      this.idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    }
  }
}

const pools = new Map<number, ReadingPool>();

/** The reader with this many threads; 0 is the calling thread alone. */
export function readerWith(workers: number): PictureReader {
  if (workers === 0) return hereReader;
  const pool = pools.get(workers) ?? new ReadingPool(workers);
  pools.set(workers, pool);
  return pool;
}
