import { withPath } from "../../core/errors";
import { breathe } from "../../core/loop";
import { beginWork } from "../../core/progress";
import { withStopRequest } from "../../core/stopRequest";
import { predictIds } from "../../models/predictIds";
import type { ImageRange } from "../keptRanges";
import { countImage, emptyCounts, type SegmentationCounts } from "./meter";
import type { Prepare, PreparedImage } from "./prepare";
import type { ShapedForwards } from "./shapedForwards";

/** Images of a set to be counted, piece by piece. */
export interface CountWork {
  readonly classes: number;
  readonly prepare: Prepare;
  readonly forwards: ShapedForwards;
  readonly batchSize: number;
  readonly pieces: readonly ImageRange[];
  /** All that there is, what was counted before among it. */
  readonly total: number;
  readonly data?: string;
  readonly signal?: AbortSignal;
}

/**
 * Counts pieces, each in batches of one shape, and hands each on when it is whole; gives back those that were not got to.
 * A piece that is stopped in its middle is given up: a batch may hold images from anywhere in it.
 */
export async function countPieces(
  work: CountWork,
  keep: (piece: ImageRange, counts: SegmentationCounts) => Promise<void>,
): Promise<ImageRange[]> {
  const { pieces, total, data } = work;
  const todo = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
  const label = data === undefined ? "segmentation" : `segmentation, ${data}`;
  const view = beginWork({ label, total, kept: total - todo });
  let done = 0;
  try {
    const missing = await withStopRequest(work.signal, async (request) => {
      for (const [i, piece] of pieces.entries()) {
        const counter = new PieceCounter(work);
        for (let index = piece.start; index < piece.end; index++) {
          if (request.stopped) return pieces.slice(i);
          await counter.add(index);
          view.advance(++done);
        }
        await counter.finish();
        await keep(piece, counter.counts);
      }
      return [];
    });
    view.end(missing.length > 0 ? "stopped" : "done");
    return missing;
  } catch (error) {
    view.end("failed");
    throw error;
  }
}

/** Gathers images of one shape until they fill a batch. */
class PieceCounter {
  readonly counts: SegmentationCounts;
  private readonly waiting = new Map<string, PreparedImage[]>();

  constructor(private readonly work: CountWork) {
    this.counts = emptyCounts(work.classes);
  }

  async add(index: number): Promise<void> {
    const image = await this.work.prepare(index);
    if (!image) return;
    const shape = `${image.height} x ${image.width}`;
    const group = [...(this.waiting.get(shape) ?? []), image];
    this.waiting.set(shape, group);
    if (group.length < this.work.batchSize) return;
    this.waiting.delete(shape);
    await this.count(group);
  }

  /** Counts what fills no batch. */
  async finish(): Promise<void> {
    for (const group of this.waiting.values()) await this.count(group);
    this.waiting.clear();
  }

  private async count(group: readonly PreparedImage[]): Promise<void> {
    const { forwards } = this.work;
    const [{ height, width }] = group;
    const pixels = group.map((image) => image.pixels);
    for (const [i, planes] of (await forwards.run(pixels, height, width)).entries()) {
      const { target, path } = group[i];
      const ids = predictIds(planes, target.height, target.width);
      withPath(path, () => countImage(this.counts, ids, target.ids, target.height, target.width));
      await breathe();
    }
  }
}
