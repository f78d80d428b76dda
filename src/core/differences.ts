/** A value as JSON, for messages; texts in quotes. */
export function valueText(value: unknown): string {
  return JSON.stringify(value) ?? "not given";
}

/**
 * Everything in which two JSON-like values differ, one line each, by path: "encoder.heads: was 2, now 4". Objects are
 * compared entry by entry, everything else as a whole; what is undefined is not there.
 */
export function differences(was: unknown, now: unknown, path = ""): string[] {
  if (isRecord(was) && isRecord(now)) {
    const keys = [...new Set([...Object.keys(was), ...Object.keys(now)])];
    return keys.flatMap((key) => differences(was[key], now[key], path ? `${path}.${key}` : key));
  }
  const [before, after] = [valueText(was), valueText(now)];
  return before === after ? [] : [`${path || "the whole"}: was ${before}, now ${after}`];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
