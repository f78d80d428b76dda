import { PlainRecord } from "./pickle";

/** Settings are shallow and short; deeper or longer values are cut and end in "…". */
const DEEPEST = 8;
const MOST_VALUES = 10_000;

/**
 * Turns what a pickle holds into JSON-like data for showing and saving: dicts and records to objects, sets to arrays,
 * big integers to text, anything else (tensors, bytes) to the name of its kind.
 */
export function toPlainValue(value: unknown): unknown {
  let left = MOST_VALUES;
  const convert = (part: unknown, depth: number): unknown => {
    if (depth > DEEPEST || left-- <= 0) return "…";
    if (part === null || part === undefined) return part;
    if (typeof part === "bigint") return part.toString();
    if (typeof part !== "object") return part;
    if (part instanceof PlainRecord) return convertEntries(part.fields, depth);
    if (part instanceof Map) return convertEntries(part, depth);
    if (Array.isArray(part)) return convertItems(part, depth);
    if (part instanceof Set) return convertItems([...part], depth);
    return part.constructor.name;
  };
  const convertItems = (items: readonly unknown[], depth: number) =>
    items.slice(0, Math.max(left, 0)).map((item) => convert(item, depth + 1));
  const convertEntries = (entries: ReadonlyMap<unknown, unknown>, depth: number) => {
    const record: Record<string, unknown> = Object.create(null);
    for (const [key, entry] of entries) {
      if (left <= 0) break;
      if (typeof key !== "object") record[String(key)] = convert(entry, depth + 1);
    }
    return { ...record };
  };
  return convert(value, 0);
}
