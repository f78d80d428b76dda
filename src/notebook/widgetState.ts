import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { isPlain } from "../core/options";

/** Values by name, as JSON and bytes. */
export type WidgetState = Record<string, unknown>;

/** A state as a message has it: bytes stand beside it, and where they were. */
export interface PackedState {
  state: WidgetState;
  buffer_paths: (string | number)[][];
  buffers: Uint8Array[];
}

const forbidden = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Takes the bytes out of a state: their properties go, places in lists hold null.
 * @throws LuvitError("bad-argument") for what is neither JSON nor bytes.
 */
export function packState(state: WidgetState): PackedState {
  const packed: PackedState = { state: {}, buffer_paths: [], buffers: [] };
  const around = new Set<object>();
  const take = (value: unknown, path: (string | number)[]): unknown => {
    const bytes = bytesOf(value);
    if (bytes) {
      packed.buffer_paths.push(path);
      packed.buffers.push(bytes);
      return undefined;
    }
    checkValue(value, path);
    if (typeof value !== "object" || value === null || "toJSON" in value) return value;
    if (around.has(value)) throw refusal(path, "contains itself");
    around.add(value);
    const made = Array.isArray(value)
      ? value.map((one, index) => take(one, [...path, index]) ?? null)
      : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, take(one, [...path, key])]));
    around.delete(value);
    return made;
  };
  for (const [name, value] of Object.entries(state)) packed.state[name] = take(value, [name]);
  return packed;
}

/** Refuses what JSON would leave out or change without a word. */
function checkValue(value: unknown, path: readonly (string | number)[]): void {
  const isWord = ["string", "boolean", "undefined"].includes(typeof value) || Number.isFinite(value);
  const isObject = value === null || Array.isArray(value) || isPlain(value);
  if (isWord || isObject || (typeof value === "object" && "toJSON" in value!)) return;
  throw refusal(path, `is ${inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY })}`);
}

function refusal(path: readonly (string | number)[], what: string): LuvitError {
  const expected = "expected JSON (finite numbers, texts, lists, plain objects) or bytes in typed arrays";
  return new LuvitError("bad-argument", `a widget's state: ${path.join(".")} ${what}; ${expected}`);
}

/**
 * Puts bytes back where they were.
 * @throws LuvitError("bad-argument") where places and bytes do not fit each other or the state.
 */
export function unpackState(state: WidgetState, paths: unknown, buffers: readonly Uint8Array[]): WidgetState {
  const places = paths ?? [];
  if (!Array.isArray(places) || places.length !== buffers.length)
    throw new LuvitError(
      "bad-argument",
      `a widget's message has ${buffers.length} buffers and ${Array.isArray(places) ? places.length : "no"} places for them`,
    );
  for (const [index, path] of places.entries()) put(state, path, buffers[index]!);
  return state;
}

function put(state: WidgetState, path: unknown, bytes: Uint8Array): void {
  const refused = new LuvitError(
    "bad-argument",
    `a widget's message puts bytes where its state has no place: ${JSON.stringify(path)}`,
  );
  if (!Array.isArray(path) || path.length === 0 || path.some((key) => forbidden.has(String(key))))
    throw refused;
  let at: unknown = state;
  for (const key of path.slice(0, -1)) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key as string)) throw refused;
    at = (at as WidgetState)[key as string];
  }
  const last = path.at(-1) as string | number;
  const fits = Array.isArray(at)
    ? Number.isInteger(last) && Number(last) >= 0 && Number(last) < at.length
    : typeof last === "string" && typeof at === "object" && at !== null;
  if (!fits) throw refused;
  (at as WidgetState)[last] = bytes;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}
