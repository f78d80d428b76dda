/** Few enough to need little room on either side, many enough to need few runs of an engine. */
const GROUP_BYTES = 2 ** 26;

/** Things in groups of about so many bytes, in their order; state crosses to an engine, and back, so. */
export function inGroups<Thing>(things: readonly Thing[], bytesOf: (thing: Thing) => number): Thing[][] {
  const groups: Thing[][] = [];
  let room = 0;
  for (const thing of things) {
    const bytes = bytesOf(thing);
    if (groups.length === 0 || bytes > room) {
      groups.push([]);
      room = GROUP_BYTES;
    }
    groups.at(-1)!.push(thing);
    room -= bytes;
  }
  return groups;
}
