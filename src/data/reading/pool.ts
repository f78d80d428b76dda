import { availableParallelism } from "node:os";
import { LuvitError } from "../../core/errors";
import { BuiltInTransform } from "../imageTransform";
import type { Planes } from "../pixels";
import { CommonMemory } from "./commonMemory";
import { hereReader, type ImageJob, type ImageReader } from "./imageReader";
import type { ReadSuccess } from "./messages";
import { type PendingRead, ReadingThread } from "./readingThread";

/** Threads that have nothing to do for this long are ended. */
const IDLE_MS = 30_000;

/** Threads an image may cost before it is given up. */
const MAX_LOSSES = 2;

/** Samples of at most this many pixels a side are made faster than they are sent. */
const SMALL_SIDE = 96;

/** Threads for samples of a size where none are asked for: half of the cores, the engine needs them too. */
export function defaultWorkers(side: number): number {
  if (side <= SMALL_SIDE) return 0;
  return Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
}

/**
 * Reads images in worker threads, started with the first image and ended when nobody has asked for a while. Each
 * thread is given a few images at a time; the others wait here, and are forgotten when their signal is aborted.
 * Transforms that are not of this library run in the calling thread. A thread that ends by itself is reported as a
 * process warning and replaced, its images read again.
 */
export class ReadingPool implements ImageReader {
  private threads: ReadingThread[] = [];
  private waiting: PendingRead[] = [];
  private nextId = 0;
  private idle: NodeJS.Timeout | undefined;
  private common: CommonMemory | undefined;

  constructor(readonly size: number) {}

  async read(job: ImageJob): Promise<Float32Array> {
    const spec = BuiltInTransform.from(job.transform)?.spec;
    if (!spec) return hereReader.read(job);
    const { path, cache, transform, signal } = job;
    const into = job.into ?? new Float32Array(3 * transform.size ** 2);
    const pixels = cache.peek(path);
    const keep = !pixels && cache.hasRoom;
    const stored = job.stored && !pixels ? await job.stored() : undefined;
    const seed = job.rng.seed;
    const request = { id: this.nextId++, path, stored, decode: cache.options, pixels, keep, spec, seed };
    const reply = await this.ask(request, into, signal);
    if (reply.pixels) cache.put(path, reply.pixels);
    return into as Float32Array;
  }

  take(length: number): Float32Array | undefined {
    this.common ??= commonMemory(this.size);
    return this.common?.take(length);
  }

  giveBack(numbers: Float32Array): void {
    this.common?.giveBack(numbers);
  }

  /** Ends the threads; the next image starts new ones. */
  async close(): Promise<void> {
    clearTimeout(this.idle);
    const ended = this.threads;
    this.threads = [];
    this.common = undefined;
    await Promise.all(ended.map((thread) => thread.close()));
  }

  private ask(
    request: PendingRead["request"],
    into: Planes,
    signal: AbortSignal | undefined,
  ): Promise<ReadSuccess> {
    clearTimeout(this.idle);
    const reply = new Promise<ReadSuccess>((resolve, reject) => {
      this.waiting.push({ request, into, signal, losses: 0, resolve, reject });
      this.handOut();
    });
    return reply.finally(() => this.closeWhenIdle());
  }

  /** Gives waiting images to threads that have room, the least busy first. */
  private handOut(): void {
    while (this.waiting.length > 0) {
      const { signal, reject } = this.waiting[0];
      const thread = signal?.aborted ? undefined : this.leastBusy();
      if (!thread && !signal?.aborted) return;
      const read = this.waiting.shift()!;
      if (thread) thread.send(read);
      else reject(signal!.reason);
    }
  }

  private leastBusy(): ReadingThread | undefined {
    const free = this.threads.find(({ load }) => load === 0);
    if (free) return free;
    if (this.threads.length < this.size) return this.start();
    const best = this.threads.reduce((least, thread) => (thread.load < least.load ? thread : least));
    return best.hasRoom ? best : undefined;
  }

  private start(): ReadingThread {
    const onLost = (reason: string, left: PendingRead[]) => {
      this.threads = this.threads.filter((other) => other !== thread);
      process.emitWarning(
        `data: a reading thread ended (${reason}); another one reads its ${left.length} images`,
      );
      const again = left.flatMap((read) => this.afterLoss(read, reason));
      this.waiting = [...again, ...this.waiting];
      this.handOut();
    };
    this.common ??= commonMemory(this.size);
    const numbers = new Set(this.threads.map((other) => other.number));
    const number = Array.from({ length: this.size }, (_, i) => i).find((i) => !numbers.has(i))!;
    const thread = new ReadingThread(number, this.common, () => this.handOut(), onLost);
    this.threads.push(thread);
    return thread;
  }

  private afterLoss(read: PendingRead, reason: string): PendingRead[] {
    const losses = read.losses + 1;
    if (losses < MAX_LOSSES) return [{ ...read, losses }];
    const message = `${read.request.path}: ${losses} reading threads ended over it, the last one: ${reason}`;
    read.reject(new LuvitError("bad-dataset", `${message}; try workers: 0`));
    return [];
  }

  private closeWhenIdle(): void {
    clearTimeout(this.idle);
    if (this.waiting.length === 0 && this.threads.every(({ load }) => load === 0)) {
      this.idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    }
  }
}

/** Undefined where the system does not give so much room; results are copied then. */
function commonMemory(threads: number): CommonMemory | undefined {
  try {
    return new CommonMemory(threads);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const pools = new Map<number, ReadingPool>();

/** The reader with this many threads; 0 is the calling thread alone. */
export function readerWith(workers: number): ImageReader {
  if (workers === 0) return hereReader;
  const pool = pools.get(workers) ?? new ReadingPool(workers);
  pools.set(workers, pool);
  return pool;
}
