import { LuvitError } from "../core/errors";

/** Values by name, as JSON and bytes. */
export type WidgetState = Record<string, unknown>;

/** A state as a message has it: bytes stand beside it, and where they were. */
export interface PackedState {
  state: WidgetState;
  buffer_paths: (string | number)[][];
  buffers: Uint8Array[];
}

const forbidden = new Set(["__proto__", "constructor", "prototype"]);

/** Takes the bytes out of a state: their properties go, places in lists hold null. */
export function packState(state: WidgetState): PackedState {
  const packed: PackedState = { state: {}, buffer_paths: [], buffers: [] };
  const take = (value: unknown, path: (string | number)[]): unknown => {
    const bytes = bytesOf(value);
    if (bytes) {
      packed.buffer_paths.push(path);
      packed.buffers.push(bytes);
      return undefined;
    }
    if (Array.isArray(value)) return value.map((one, index) => take(one, [...path, index]) ?? null);
    if (typeof value !== "object" || value === null || "toJSON" in value) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, take(one, [...path, key])]));
  };
  for (const [name, value] of Object.entries(state)) packed.state[name] = take(value, [name]);
  return packed;
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
