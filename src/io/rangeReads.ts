import type { ByteSource } from "./byteSource";

/** A stretch of bytes in a source, end exclusive, with whatever the caller wants back beside it. */
export interface ByteRange<Tag> {
  readonly start: number;
  readonly end: number;
  readonly tag: Tag;
}

/** Joined reads stay below this, so that raw bytes of a whole model never lie in memory at once. */
const LARGEST_JOINED_READ = 64 * 2 ** 20;

/**
 * Reads many ranges, joining those that touch or overlap into one read each; nothing between ranges is read.
 * Calls `use` once per range, in the order of the file.
 */
export async function readRanges<Tag>(
  source: ByteSource,
  ranges: readonly ByteRange<Tag>[],
  use: (tag: Tag, bytes: Uint8Array) => void,
): Promise<void> {
  for (const group of joinTouching(ranges)) {
    const start = group[0].start;
    const end = group.reduce((furthest, range) => Math.max(furthest, range.end), start);
    const bytes = await source.read(start, end);
    for (const range of group) use(range.tag, bytes.subarray(range.start - start, range.end - start));
  }
}

function joinTouching<Tag>(ranges: readonly ByteRange<Tag>[]): ByteRange<Tag>[][] {
  const ordered = ranges.slice().sort((a, b) => a.start - b.start || a.end - b.end);
  const groups: ByteRange<Tag>[][] = [];
  let groupEnd = -1;
  for (const range of ordered) {
    const group = groups[groups.length - 1];
    const joins = group && range.start <= groupEnd && range.end - group[0].start <= LARGEST_JOINED_READ;
    if (joins) group.push(range);
    else groups.push([range]);
    groupEnd = joins ? Math.max(groupEnd, range.end) : range.end;
  }
  return groups;
}
