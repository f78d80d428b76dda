import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";
import { LuvitError, type LuvitErrorCode } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { checkOptions, list, object, oneOf, optionsOf, path, seed, text, whole } from "../../core/options";
import { readWholeText } from "../../core/readWhole";
import { writeAtomically } from "../../core/writeAtomically";
import { severities as allSeverities, type CorruptionType, corruptionTypes } from "../corruptionTypes";
import { SkipReport, shardRange } from "../dataset";
import { MOST_PIXELS, type Shard, severity, shardOptions } from "../options";
import { listImages } from "../scanFolder";
import type { CorruptedImage, CorruptionPlan, ImageToCorrupt } from "./corruptFile";
import { isWithin, outputNames, realPlace } from "./outputs";

/** Which corruptions of a folder are written. */
export interface GenerateOptions {
  /** Default all 19. */
  types?: readonly CorruptionType[];
  /** Default 1 … 5. */
  severities?: readonly number[];
  /** Side of the images in pixels; default 224. */
  size?: number;
  /** Default 0. */
  seed?: number;
  /** Folder with photographs of frost, without which `frost` cannot be among the types. */
  frost?: string;
  /** Threads; default one per core. */
  workers?: number;
  /** Which part of the images; default all. */
  shard?: Shard;
}

export const generateOptions = optionsOf<GenerateOptions>(
  {},
  {
    types: list(oneOf(corruptionTypes), 1),
    severities: list(severity, 1),
    size: whole(32, MOST_PIXELS),
    seed,
    frost: text,
    workers: whole(1, 1024),
    shard: shardOptions,
  },
);

/**
 * Writes a folder of images under corruptions in the layout of ImageNet-C, `<target>/<type>/<severity>/<class>/x.JPEG`:
 * shorter side to 256, centered 224 (in proportion for other sizes), JPEG of quality 85, one file for each image: `x.png`
 * becomes `x.png.JPEG`. Nothing is written through links below the target. Iterate over the result
 * to have it done: `for await (const image of progress(await corruptions.generate(…)))`. Files that are there are kept,
 * so that a stopped run goes on; the images follow from the seed alone.
 *
 * @throws LuvitError("missing-file" | "bad-dataset" | "bad-argument"): the last e.g. where `target` was begun with another
 * seed or size.
 */
export async function generate(
  source: string,
  target: string,
  options: GenerateOptions = {},
): Promise<CorruptionRun> {
  checkOptions("corruptions.generate", object({ source: path, target: path }, {}), { source, target });
  checkOptions("corruptions.generate", generateOptions, options);
  const { types = corruptionTypes, severities = allSeverities, size = 224, seed = 0, shard } = options;
  const plan = { source: realPlace(source), target: realPlace(target), types, severities, size, seed };
  const photographs = options.frost === undefined ? [] : (await listImages(options.frost)).slice(0, 5);
  expectPlan(plan, photographs.length, options.frost);
  const all = (await listImages(plan.source)).map((path) => relative(plan.source, path));
  if (all.length === 0) throw new LuvitError("bad-dataset", `corruptions: no images under ${source}`);
  const outputs = outputNames(all);
  const images = all.map((path, i) => ({ path, output: outputs[i] }));
  const { start, end } = shardRange(all.length, shard ?? { index: 1, count: 1 });
  await claim(plan);
  const workers = options.workers ?? availableParallelism();
  return new CorruptionRun(plan, images.slice(start, end), photographs, Math.max(1, workers));
}

/** Images under corruptions, being written while it is iterated over. */
export class CorruptionRun implements AsyncIterable<CorruptedImage> {
  /** Images that could not be read. */
  readonly report = new SkipReport();
  /** Files written, and files that were there before. */
  written = 0;
  kept = 0;

  constructor(
    readonly plan: CorruptionPlan,
    private readonly images: readonly ImageToCorrupt[],
    private readonly photographs: readonly string[],
    readonly workers: number,
  ) {}

  /** Images to do. */
  get length(): number {
    return this.images.length;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CorruptedImage, void, undefined> {
    const threads = Array.from(
      { length: Math.min(this.workers, this.length) },
      () => new CorruptingThread(this.plan, this.photographs),
    );
    const queue = this.images.values();
    const busy = new Map<CorruptingThread, Promise<{ thread: CorruptingThread; done: CorruptedImage }>>();
    const feed = (thread: CorruptingThread) => {
      const { value: image } = queue.next();
      if (image === undefined) busy.delete(thread);
      else
        busy.set(
          thread,
          thread.corrupt(image).then((done) => ({ thread, done })),
        );
    };
    try {
      for (const thread of threads) feed(thread);
      while (busy.size > 0) {
        const { thread, done } = await Promise.race(busy.values());
        feed(thread);
        this.count(done);
        yield done;
      }
    } finally {
      for (const work of busy.values()) work.catch(() => {}); // nobody waits for it after an early end
      await Promise.all(threads.map((thread) => thread.end()));
    }
  }

  toString(): string {
    const { types, severities, target } = this.plan;
    const files = `${this.written} files written, ${this.kept} kept`;
    const skipped = this.report.count > 0 ? `; ${this.report.count} unreadable images left out` : "";
    return `${this.length} images, ${types.length} corruptions x ${severities.length} severities in ${target}: ${files}${skipped}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  private count({ path, written, kept, unreadable }: CorruptedImage): void {
    this.written += written;
    this.kept += kept;
    if (unreadable) this.report.add(path, unreadable);
  }
}

/** A worker thread with at most one image. */
class CorruptingThread {
  private readonly worker: Worker;
  private waiting: { resolve(done: CorruptedImage): void; reject(error: Error): void } | undefined;

  constructor(plan: CorruptionPlan, frost: readonly string[]) {
    this.worker = new Worker(join(__dirname, "thread.js"), { workerData: { plan, frost }, execArgv: [] });
    this.worker.on("message", (reply: CorruptedImage | { code: LuvitErrorCode; message: string }) => {
      if ("code" in reply) this.waiting?.reject(new LuvitError(reply.code, reply.message));
      else this.waiting?.resolve(reply);
    });
    this.worker.on("error", (error) => this.waiting?.reject(error));
    this.worker.on("exit", () => this.waiting?.reject(new Error("corruptions: a thread ended by itself")));
  }

  corrupt(image: ImageToCorrupt): Promise<CorruptedImage> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.worker.postMessage(image);
    });
  }

  async end(): Promise<void> {
    this.waiting = undefined;
    await this.worker.terminate();
  }
}

function expectPlan(plan: CorruptionPlan, photographs: number, frost: string | undefined): void {
  const { source, target, types } = plan;
  const problems: string[] = [];
  if (types.includes("frost") && photographs === 0) {
    const found = frost === undefined ? "" : ` (none found in ${frost})`;
    problems.push(
      `frost needs a folder of photographs of frost${found}, which are not part of this library: give frost: <folder>, ` +
        "e.g. of the original generator, or leave frost out of the types",
    );
  }
  if (isWithin(target, source)) problems.push(`the target ${target} lies inside the source`);
  if (problems.length > 0) throw new LuvitError("bad-argument", `corruptions: ${problems.join("; ")}`);
}

/** Notes in the target what it is made with, so that no other run mixes its files in. */
async function claim({ target, size, seed }: CorruptionPlan): Promise<void> {
  const path = join(target, "corruptions.json");
  const mine = { size, seed };
  if (!existsSync(path)) {
    makeFolder(target);
    writeAtomically(path, `${JSON.stringify(mine)}\n`);
    return;
  }
  const there = (await readWholeText(path)).trim();
  if (there === JSON.stringify(mine)) return;
  const wanted = `size ${size} and seed ${seed}`;
  throw new LuvitError(
    "bad-argument",
    `corruptions: ${target} was begun with ${there}, not with ${wanted}; take another folder`,
  );
}
