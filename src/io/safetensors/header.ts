import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StoredDtype } from "../../core/hostTensor";
import { bytesPerElement, repeatedKeys } from "../bytes";

/** Shape and stored type of a tensor in a file, known without reading its numbers. */
export interface TensorInfo {
  readonly shape: readonly number[];
  /** A `StoredDtype`, or the name of a type that exists but cannot be read (for instance "F8_E4M3"). */
  readonly dtype: string;
}

/** A tensor of a safetensors file; `start` and `end` count from the beginning of the file. */
export interface StoredTensor extends TensorInfo {
  readonly start: number;
  readonly end: number;
}

/** The parsed and checked header. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The `__metadata__` entry; transformers writes `{ format: "pt" }`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Valid in the format but not readable here: bits per element. Of types that are newer than this list nobody knows. */
const foreignBits: Readonly<Record<string, number>> = {
  U16: 16,
  U32: 32,
  U64: 64,
  C64: 64,
  F8_E4M3: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
};

/** All names of types, those to come as well. */
const TYPE_NAME = /^[A-Z][A-Z0-9_]{0,31}$/;

/**
 * Checks a header against the rules of the format: types, whole non-negative shapes, byte counts that fit, data that
 * fills the file from `dataStart` to `fileSize` without holes or overlaps, and no name twice. A tensor of a type that is
 * not known here has the bytes that it claims; reading it is an error, its being there is not.
 * Reference: github.com/huggingface/safetensors, README "Format" and safetensors/src/tensor.rs `Metadata::validate`.
 *
 * @throws LuvitError("bad-file") with every offending key.
 */
export function parseSafetensorsHeader(
  name: string,
  text: string,
  dataStart: number,
  fileSize: number,
): SafetensorsHeader {
  const entries = parseObject(name, text);
  const repeated = repeatedKeys(text).map((key) => `${brief(key)} is there twice`);
  let faults = [...repeated, ...notWhole(text), ...halfCharacters(text)];
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(entries)) {
    if (key === "__metadata__") {
      if (value === null) metadata = {};
      else if (isTextRecord(value)) metadata = value;
      else faults.push("__metadata__: must map names to texts");
      continue;
    }
    const stored = parseEntry(value, dataStart, fileSize);
    if (typeof stored === "string") faults.push(`${key}: ${stored}`);
    else tensors.set(key, stored);
  }
  if (faults.length === 0) faults = findHolesAndOverlaps(tensors, dataStart, fileSize);
  if (faults.length > 0) {
    throw new LuvitError("bad-file", `${name}: not a valid safetensors file\n${listOffenders(faults)}`);
  }
  return { tensors, metadata };
}

function parseObject(name: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new LuvitError("bad-file", `${name}: the safetensors header is not JSON`, { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new LuvitError("bad-file", `${name}: the safetensors header is not a JSON object`);
  }
  return parsed as Record<string, unknown>;
}

/** A text and the list of numbers it names, or any other text: none of its brackets is one of the header's. */
const LIST_OR_TEXT = /"((?:[^"\\]|\\.)*)"\s*:\s*\[([^\]"]*)\]|"(?:[^"\\]|\\.)*"/gs;

/** Numbers such as 8.0, 8e0 and -0: whole for JSON.parse, but not as the format has them. */
function notWhole(text: string): string[] {
  const faults: string[] = [];
  for (const [, key, numbers] of text.matchAll(LIST_OR_TEXT)) {
    if ((key === "shape" || key === "data_offsets") && /[.eE-]/.test(numbers)) {
      faults.push(`${key} must be whole numbers, got [${brief(numbers)}]`);
    }
  }
  return faults;
}

/** A pair of surrogates, one alone, or any other escape. */
const SURROGATES = /\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(u[dD][89a-fA-F]..)|\\./gs;

/** Halves of a character of two escapes: JSON.parse takes them, the official reader does not. */
function halfCharacters(text: string): string[] {
  const halves = [...text.matchAll(SURROGATES)].flatMap(([, half]) => half ?? []);
  return [...new Set(halves)].map((half) => `\\${half}: half of a character`);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((entry) => typeof entry === "string");
}

/** The entry with positions in the file, or what is wrong with it. */
function parseEntry(value: unknown, dataStart: number, fileSize: number): StoredTensor | string {
  if (typeof value !== "object" || value === null) return "entry is not an object";
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== "string" || !TYPE_NAME.test(dtype)) return `unknown dtype ${brief(dtype)}`;
  const bits = bitsPerElement(dtype);
  if (!isCountList(shape)) return `shape must be a list of whole numbers, got ${brief(shape)}`;
  if (!isCountList(offsets) || offsets.length !== 2) {
    return `data_offsets must be two whole numbers, got ${brief(offsets)}`;
  }
  const [begin, end] = offsets;
  if (begin > end) return `data_offsets are reversed: [${begin}, ${end}]`;
  const available = fileSize - dataStart;
  if (end > available) return `data_offsets end at byte ${end}, the file holds ${available} bytes of data`;
  const expected = bits === undefined ? end - begin : (elementCount(shape) * bits) / 8;
  if (end - begin !== expected) {
    return `${dtype} [${shape.join(", ")}] needs ${expected} bytes, data_offsets span ${end - begin}`;
  }
  return { dtype, shape, start: dataStart + begin, end: dataStart + end };
}

function bitsPerElement(dtype: string): number | undefined {
  if (Object.hasOwn(bytesPerElement, dtype)) return 8 * bytesPerElement[dtype as StoredDtype];
  return Object.hasOwn(foreignBits, dtype) ? foreignBits[dtype] : undefined;
}

/** May be inexact or infinite for absurd shapes; those never match a byte count in a file. */
function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
}

function isCountList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && entry >= 0);
}

function findHolesAndOverlaps(
  tensors: ReadonlyMap<string, StoredTensor>,
  dataStart: number,
  fileSize: number,
): string[] {
  const faults: string[] = [];
  let expected = dataStart;
  const ordered = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  for (const [key, { start, end }] of ordered) {
    if (start < expected) faults.push(`${key}: overlaps the tensor before it by ${expected - start} bytes`);
    if (start > expected) faults.push(`${key}: ${start - expected} bytes before it belong to no tensor`);
    expected = Math.max(expected, end);
  }
  if (expected < fileSize) faults.push(`${fileSize - expected} bytes at the end belong to no tensor`);
  return faults;
}
