import type { ByteSource } from "./byteSource";
import { KeptStretch } from "./keptFile";

/** A stretch of bytes in a source, end exclusive, with whatever the caller wants back beside it. */
export interface ByteRange<Tag> {
  readonly start: number;
  readonly end: number;
  readonly tag: Tag;
}

/** Gives where a range's bytes can be read at any later time; undefined where the file is no longer as it was. */
export type ReadAgain = () => KeptStretch | undefined;

/** Small neighbors are joined up to this; what is larger is read straight into an array of its own. */
const LARGEST_JOINED_READ = 2 ** 20;

/** Reads under way at a time, so that none waits for the last piece of the one before. */
const AHEAD = 2;

/**
 * Reads many ranges. From a file small ones that touch or overlap are joined into one read each; a remote source joins
 * them as it likes. Nothing between ranges is read. Calls `use` once per range, one after the other, in the order of the
 * file or as they arrive; meanwhile the next are being read. The bytes belong to whoever is called; of a file on this machine
 * they can be had again.
 */
export async function readRanges<Tag>(
  source: ByteSource,
  ranges: readonly ByteRange<Tag>[],
  use: (tag: Tag, bytes: Uint8Array, again?: ReadAgain) => void,
): Promise<void> {
  const again = ({ start, end }: ByteRange<Tag>): ReadAgain | undefined =>
    source.keep &&
    (() => {
      const file = source.keep!();
      return file && new KeptStretch(file, start, end);
    });
  if (source.readMany) return source.readMany(ranges, (i, bytes) => use(ranges[i].tag, bytes));
  const groups = joinTouching(ranges);
  const read = (group: readonly ByteRange<Tag>[]) => settled(source.read(group[0].start, endOf(group)));
  const coming = groups.slice(0, AHEAD).map(read);
  for (const [i, group] of groups.entries()) {
    const bytes = await coming.shift()!();
    if (i + AHEAD < groups.length) coming.push(read(groups[i + AHEAD]));
    const [{ start }] = group;
    for (const range of group) {
      const own = group.length === 1 ? bytes : bytes.slice(range.start - start, range.end - start);
      use(range.tag, own, again(range));
    }
  }
}

function endOf<Tag>(group: readonly ByteRange<Tag>[]): number {
  return group.reduce((furthest, { end }) => Math.max(furthest, end), 0);
}

/** Waits for a read that may fail before anyone awaits it. */
function settled<Value>(work: Promise<Value>): () => Promise<Value> {
  work.catch(() => {});
  return () => work;
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
