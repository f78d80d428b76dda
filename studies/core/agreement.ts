import { nameOf, type Result } from "./results";

/** How results compare with those kept: the same to the bit, or by how much they differ. */
export function agreement(results: readonly Result[], kept: readonly Result[]): string {
  const known = new Map(kept.map((one) => [nameOf(one), one]));
  const lines: string[] = [];
  for (const one of results) {
    const name = nameOf(one);
    const other = known.get(name);
    if (other === undefined) lines.push(`${name}: ${one.value}, not kept`);
    else if (other.epochs !== one.epochs) lines.push(`${name}: kept is one of ${other.epochs} epochs`);
    else if (!Object.is(other.value, one.value)) lines.push(`${name}: ${one.value}, kept is ${other.value}`);
  }
  const same = results.length - lines.length;
  return [`${same} numbers are those kept to the bit, ${lines.length} are not`, ...lines].join("\n");
}
