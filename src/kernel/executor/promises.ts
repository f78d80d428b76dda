import { inspect } from "node:util";

/** Where Node keeps what a promise belongs to, as properties that everybody sees. */
const tracks = new Set(["async_id_symbol", "trigger_async_id_symbol", "kResourceStore"]);

/**
 * Has promises print as they do elsewhere, `Promise { 5 }`, also inside other values; cells are told apart by what Node
 * keeps on each of them. Returns what undoes it.
 */
export function plainPromises(): () => void {
  Object.defineProperty(Promise.prototype, inspect.custom, {
    configurable: true,
    writable: true,
    value(this: Promise<unknown>): unknown {
      for (const symbol of Object.getOwnPropertySymbols(this))
        if (tracks.has(symbol.description ?? "")) Object.defineProperty(this, symbol, { enumerable: false });
      return this; // and Node goes on as if this method were not there
    },
  });
  return () => Reflect.deleteProperty(Promise.prototype, inspect.custom);
}

/** A word to who gets promises where their values were wanted; undefined for every other value. */
export function promiseHint(value: unknown): string | undefined {
  if (value instanceof Promise)
    return "hint: a promise, not yet its value: `await` is missing in front of the expression";
  if (Array.isArray(value) && value.length > 0 && value.every((one) => one instanceof Promise))
    return "hint: promises, not yet their values: write `await Promise.all(…)` around the list";
  return undefined;
}
