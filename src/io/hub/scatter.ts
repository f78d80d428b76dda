import type { Stretch } from "../bytes";

interface Destination extends Stretch {
  readonly bytes: Uint8Array;
  missing: number;
  readonly indices: readonly number[];
}

/**
 * Arrays for many ranges of one file, filled in any order. Each range has an array of its own and is handed out when it
 * is full; ranges that overlap are filled as one and copied apart.
 */
export class Scatter {
  private readonly destinations: Destination[];

  constructor(
    private readonly ranges: readonly Stretch[],
    private readonly use: (index: number, bytes: Uint8Array) => void,
  ) {
    this.destinations = destinationsOf(ranges);
    for (const destination of this.destinations) if (destination.missing === 0) this.handOut(destination);
  }

  /** What must be filled: disjoint, in order, neighbors joined. */
  extents(): Stretch[] {
    const joined: Stretch[] = [];
    for (const { start, end } of this.destinations) {
      const last = joined.at(-1);
      if (last && last.end === start) joined[joined.length - 1] = { start: last.start, end };
      else if (end > start) joined.push({ start, end });
    }
    return joined;
  }

  /** The memory of a stretch that lies within one extent, in order. */
  views({ start, end }: Stretch): Uint8Array[] {
    const overlapping = this.destinations.filter((each) => each.start < end && each.end > start);
    return overlapping.map((each) =>
      each.bytes.subarray(Math.max(0, start - each.start), Math.min(each.bytes.length, end - each.start)),
    );
  }

  put(position: number, chunk: Uint8Array): void {
    let at = 0;
    for (const view of this.views({ start: position, end: position + chunk.length })) {
      view.set(chunk.subarray(at, at + view.length));
      at += view.length;
    }
    this.filled({ start: position, end: position + chunk.length });
  }

  /** Says that a stretch has been filled through its views. */
  filled({ start, end }: Stretch): void {
    for (const each of this.destinations) {
      const common = Math.min(end, each.end) - Math.max(start, each.start);
      if (common <= 0) continue;
      each.missing -= common;
      if (each.missing === 0) this.handOut(each);
    }
  }

  private handOut({ bytes, start, indices }: Destination): void {
    const own = (index: number) =>
      bytes.slice(this.ranges[index].start - start, this.ranges[index].end - start);
    if (indices.length === 1) this.use(indices[0], bytes);
    else for (const index of indices) this.use(index, own(index));
  }
}

function destinationsOf(ranges: readonly Stretch[]): Destination[] {
  const order = ranges.map((_, index) => index).sort((a, b) => ranges[a].start - ranges[b].start);
  const groups: { start: number; end: number; indices: number[] }[] = [];
  for (const index of order) {
    const { start, end } = ranges[index];
    const last = groups.at(-1);
    if (last && start < last.end) {
      last.end = Math.max(last.end, end);
      last.indices.push(index);
    } else groups.push({ start, end, indices: [index] });
  }
  return groups.map((group) => {
    const length = group.end - group.start;
    return { ...group, bytes: new Uint8Array(length), missing: length };
  });
}
