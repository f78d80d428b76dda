import { inspect } from "node:util";

/** A value that came where another was expected, on one short line. */
export function describeValue(value: unknown): string {
  if (isThenable(value)) return "a Promise; write await before what makes it";
  if (typeof value === "function") return `a function${value.name ? ` (${value.name})` : ""}`;
  try {
    const shown = inspect(value, { depth: 0, maxArrayLength: 4, maxStringLength: 80, breakLength: Infinity });
    const [first] = shown.split("\n");
    return first.length > 160 ? `${first.slice(0, 160)}…` : first;
  } catch {
    return `a ${typeof value}`; // an object whose own text fails
  }
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
