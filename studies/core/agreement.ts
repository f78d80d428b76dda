import { existsSync } from "node:fs";
import { readTable } from "../../src/io/tables";
import type { Done } from "./run";

/** How the numbers of trials compare with those kept in a table of results: the same to the bit, or by how much they differ. */
export async function agreement(done: readonly Done[], file: string): Promise<string> {
  if (!existsSync(file)) return `${file}: is not there, nothing to compare with`;
  const key = (...parts: readonly unknown[]) => JSON.stringify(parts);
  const kept = new Map<string, number>();
  for (const row of (await readTable(file)).toArray()) {
    const { variant, seed, metric, layer, epochs, value } = row.toJSON();
    kept.set(key(variant, seed, metric, layer ?? null, epochs), value);
  }
  const lines: string[] = [];
  let same = 0;
  for (const { seed, size, measures } of done) {
    for (const { variant, metric, layer, value } of measures) {
      const known = kept.get(key(variant, seed, metric, layer ?? null, size.epochs));
      const name = [variant, `seed ${seed}`, metric, layer].filter((part) => part !== undefined).join(", ");
      if (known === undefined) lines.push(`${name}: ${value}, not kept`);
      else if (Object.is(known, value)) same++;
      else lines.push(`${name}: ${value}, kept is ${known}`);
    }
  }
  return [`${same} numbers are those of ${file} to the bit, ${lines.length} are not`, ...lines].join("\n");
}
