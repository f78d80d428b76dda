import { createHash } from "node:crypto";
import { LuvitError } from "../../src/core/errors";

/** What a file is read as, in words; throws where it is refused. */
export type Read = (bytes: Buffer) => unknown;

/** A short name of numbers and words that tells any two of them apart. */
export function digest(value: unknown): string {
  const hash = createHash("sha256");
  const take = (part: unknown): void => {
    if (ArrayBuffer.isView(part)) {
      hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    } else if (part instanceof Map) for (const [key, entry] of part) take([key, entry]);
    else if (Array.isArray(part)) for (const entry of part) take(entry);
    else if (typeof part === "object" && part !== null) take(Object.entries(part));
    else hash.update(`${typeof part} ${String(part)};`);
  };
  take(value);
  return hash.digest("hex").slice(0, 10);
}

/**
 * What becomes of a file whose bytes are changed one after another, and which is cut off after each: how often each
 * refusal is given and where first, how many are read, and a digest of all outcomes in their order. No outcome is anything
 * but a file read or a refusal in words.
 */
export async function damageReport(
  file: Uint8Array,
  read: Read,
  { from = 0, to = file.length, cutFrom = 0, step = 1 } = {},
): Promise<string[]> {
  const whole = digest(await read(Buffer.from(file)));
  const counts = new Map<string, { count: number; first: string }>();
  const all: string[] = [];
  const note = async (where: string, bytes: Buffer) => {
    let outcome: string;
    try {
      const found = digest(await read(bytes));
      outcome = found === whole ? "read as the whole file" : `read, otherwise ${found}`;
    } catch (error) {
      if (!(error instanceof LuvitError)) throw new Error(`${where}: ${(error as Error).stack}`);
      outcome = `${error.code}: ${error.message}`;
    }
    all.push(outcome);
    const kind = outcome
      .replace(/otherwise .*/, "otherwise")
      .replace(/[^\x20-\x7e]+/g, "?")
      .replace(/\d+/g, "#")
      .slice(0, 110);
    const known = counts.get(kind);
    if (known) known.count++;
    else counts.set(kind, { count: 1, first: where });
  };
  for (let at = from; at < to; at += step)
    for (const change of [0x01, 0x80]) {
      const bytes = Buffer.from(file);
      bytes[at] ^= change;
      await note(`byte ${at} ^ ${change}`, bytes);
    }
  for (let length = cutFrom; length < file.length; length += step)
    await note(`cut at ${length}`, Buffer.from(file.subarray(0, length)));
  const kinds = [...counts].map(([kind, { count, first }]) => `${count} x ${kind} (first ${first})`);
  return [...kinds, `all ${all.length}: ${digest(all)}`];
}
