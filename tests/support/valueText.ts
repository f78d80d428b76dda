import { createHash } from "node:crypto";
import { types } from "node:util";

/** Numbers and entries that are written out; of more come the first ones, and sums or a digest of all. */
const MOST = 24;
/** Letters of a text that are written out. */
const MOST_LETTERS = 400;

/**
 * A value in one line, the same on every machine: numbers to 6 digits, every own field, long arrays by their first numbers
 * and two sums, one of them weighted so that an order counts, long texts and bytes by their beginning and a digest.
 */
export function valueText(value: unknown, places: readonly (readonly [string, string])[] = []): string {
  return write(value, new Set(), places);
}

type Places = readonly (readonly [string, string])[];

function write(value: unknown, above: Set<unknown>, places: Places): string {
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return text(value, places);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name ? `ƒ ${value.name}` : "ƒ";
  if (typeof value !== "object" || value === null) return String(value);
  if (above.has(value)) return "(above)";
  const within = new Set(above).add(value);
  return writeObject(value, (inner) => write(inner, within, places), places);
}

function writeObject(value: object, one: (inner: unknown) => string, places: Places): string {
  if (value instanceof Error) return errorText(value, places);
  if (isTensor(value)) return `tensor ${value.dtype} [${value.shape}] ${numbers([...value.dataSync()])}`;
  if (types.isUint8Array(value)) return bytes(value);
  if (types.isAnyArrayBuffer(value)) return `ArrayBuffer ${bytes(new Uint8Array(value))}`;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return `${value.constructor.name} ${numbers([...(value as Float32Array)])}`;
  if (Array.isArray(value)) return array(value, one);
  if (value instanceof Map)
    return `Map ${list(
      "{",
      [...value].map(([key, entry]) => `${one(key)} => ${one(entry)}`),
      "}",
    )}`;
  if (value instanceof Set) return `Set ${list("{", [...value].map(one), "}")}`;
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof RegExp || value instanceof URL) return text(String(value), places);
  if (value instanceof WeakMap || types.isPromise(value)) return value.constructor.name;
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? "";
  const entries = Object.entries(value).map(([key, entry]) => `${key}: ${one(entry)}`);
  return `${name === "Object" || name === "" ? "" : `${name} `}${list("{ ", entries, " }", 400)}`;
}

function array(value: readonly unknown[], one: (inner: unknown) => string): string {
  if (value.length > MOST && value.every((entry) => typeof entry === "number")) return numbers(value);
  return list("[", Array.from(value, one), "]");
}

function list(open: string, entries: readonly string[], close: string, most = MOST * 4): string {
  if (entries.length <= most) return `${open}${entries.join(", ")}${close}`;
  const all = digest(entries.join("\n"));
  return `${open}${entries.slice(0, MOST).join(", ")}, … ${entries.length} of ${all}${close}`;
}

function numbers(value: readonly (number | bigint)[]): string {
  const written = value
    .slice(0, MOST)
    .map((entry) => (typeof entry === "bigint" ? `${entry}` : number(entry)));
  if (value.length <= MOST) return `[${written.join(", ")}]`;
  let sum = 0;
  let weighted = 0;
  for (const [i, entry] of value.entries()) {
    if (!Number.isFinite(Number(entry))) continue;
    sum += Number(entry);
    weighted += (1 + (i % 97)) * Number(entry);
  }
  return `[${written.join(", ")}, … ${value.length} with sum ${number(sum)}, weighted ${number(weighted)}]`;
}

/** To 6 digits; whole numbers as they are. */
function number(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

function bytes(value: Uint8Array): string {
  if (value.length <= MOST) return `bytes [${[...value].join(" ")}]`;
  return `bytes [${[...value.subarray(0, MOST)].join(" ")} … ${value.length} of ${digest(value)}]`;
}

function text(value: string, places: Places): string {
  let told = value;
  for (const [place, name] of places) told = told.replaceAll(place, name);
  if (told.length <= MOST_LETTERS) return JSON.stringify(told);
  return `${JSON.stringify(told.slice(0, MOST_LETTERS))} … ${told.length} of ${digest(told)}`;
}

/** Class, code and message of an error, then its causes. */
export function errorText(error: unknown, places: Places = []): string {
  if (!(error instanceof Error)) return `thrown ${write(error, new Set(), places)}`;
  const { code } = error as { code?: unknown };
  const message = text(error.message, places).slice(1, -1).replaceAll('\\"', '"');
  const cause = error.cause === undefined ? "" : ` < ${errorText(error.cause, places)}`;
  return `${error.name}${code === undefined ? "" : ` ${code}`}: ${message}${cause}`;
}

interface TensorLike {
  dtype: string;
  shape: number[];
  isDisposed: boolean;
  dataSync(): Float32Array;
  dispose(): void;
}

/** Whether a value is a tensor of tfjs, which need not be loaded. */
export const isTensor = (value: object): value is TensorLike => "dataId" in value && "dataSync" in value;

const digest = (value: string | Uint8Array) => createHash("sha256").update(value).digest("hex").slice(0, 10);
