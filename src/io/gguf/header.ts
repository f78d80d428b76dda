import { LuvitError, listOffenders } from "../../core/errors";
import type { ByteSource } from "../bytes";
import { GgufInput, HeaderGoesOn, type NumberType, numberBytes } from "./input";
import { type GgufType, ggufType } from "./types";

/*
 * Why this is not left to @huggingface/gguf (0.4.6): it reads from addresses and paths only, in pieces of 2 MB, where here
 * any source is read, counted and cached; it keeps vocabularies whole; and it does not check where tensors lie. On a header
 * with LLaMA 3's vocabulary (9.6 MB, 128 k tokens, 280 k merges; alternating runs of five on two busy cores) it takes 3.0 to
 * 6.5 s and keeps 21 MB, this 0.3 to 0.7 s and 0.5 MB. Of seven damaged files (a name twice, tensors that overlap, that lie
 * far outside, data cut off, a header cut off, a text longer than the file, a type nobody knows) it refuses none, this all
 * that can do harm: see tests/unit/io/gguf.test.ts and fuzz.test.ts.
 */

/** A value of a GGUF header. Of long arrays (vocabularies) only the length is kept. */
export type GgufValue = string | number | boolean | readonly GgufValue[] | { readonly length: number };

/** Header entries by name, e.g. `llama.attention.head_count`. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A tensor of a GGUF file; `start` and `end` count from the beginning of the file. */
export interface GgufTensor {
  /** As in PyTorch: the slowest axis first (the file lists it last). */
  readonly shape: readonly number[];
  readonly type: GgufType;
  readonly start: number;
  /** Equal to `start` for a type whose length nobody knows. */
  readonly end: number;
}

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const MAGIC = 0x46554747;
const DEFAULT_ALIGNMENT = 32;
const MOST_AXES = 4;
const LONGEST_KEPT_ARRAY = 1024;
const DEEPEST_ARRAY = 4;
/** Name of one letter, axis count, no axis, type, offset. */
const SHORTEST_TENSOR_ENTRY = 8 + 1 + 4 + 4 + 8;
/** Empty name, type, one byte. */
const SHORTEST_METADATA_ENTRY = 8 + 4 + 1;
const FIRST_READ = 2 ** 20;

const numberTypes = Object.keys(numberBytes) as NumberType[];
/** The order of the format: STRING and ARRAY stand between BOOL and UINT64. */
const valueTypes: readonly (NumberType | "STRING" | "ARRAY")[] = [
  ...numberTypes.slice(0, 8),
  "STRING",
  "ARRAY",
  ...numberTypes.slice(8),
];

/**
 * Reads the header of a GGUF file, version 2 or 3, little endian: metadata, and where the tensors lie.
 * Its length is written nowhere, so the file's start is read in growing pieces, no byte twice.
 * Reference: github.com/ggml-org/ggml docs/gguf.md.
 *
 * @throws LuvitError("bad-file") for anything a file of this length cannot hold, before memory is taken for it.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  let bytes: Uint8Array = new Uint8Array(0);
  for (let length = FIRST_READ; ; length *= 4) {
    const end = Math.min(length, source.size);
    const longer = new Uint8Array(end);
    longer.set(bytes);
    longer.set(await source.read(bytes.length, end), bytes.length);
    bytes = longer;
    try {
      return parseHeader(source, new GgufInput(source, bytes));
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error;
    }
  }
}

function parseHeader(source: ByteSource, input: GgufInput): GgufHeader {
  if (input.uint32("the magic number") !== MAGIC) input.fail("it does not begin with GGUF");
  requireVersion(input, input.uint32("the version"));
  const tensorCount = input.count("number of tensors", SHORTEST_TENSOR_ENTRY);
  const metadataCount = input.count("number of metadata entries", SHORTEST_METADATA_ENTRY);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = input.text(`name of metadata entry ${i}`);
    if (metadata.has(key)) input.fail(`${key} is there twice`);
    metadata.set(key, readValue(input, input.uint32(`type of ${key}`), key));
  }
  const entries = new Map<string, Omit<GgufTensor, "end">>();
  for (let i = 0; i < tensorCount; i++) {
    const name = input.text(`name of tensor ${i}`);
    if (entries.has(name)) input.fail(`tensor ${name} is there twice`);
    entries.set(name, readTensorEntry(input, name));
  }
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (!isAlignment(alignment))
    input.fail(`general.alignment is ${JSON.stringify(alignment)}, expected a power of two`);
  const dataStart = Math.ceil(input.position / alignment) * alignment;
  return { metadata, tensors: placeTensors(source, entries, dataStart, alignment) };
}

function requireVersion(input: GgufInput, version: number): void {
  if (version === 2 || version === 3) return;
  if (version === 1)
    input.fail("version 1, whose counts are 32 bits wide; convert it with llama.cpp's tools");
  if ((version & 0xffff) === 0 && version !== 0) input.fail("it is big endian, which is not supported");
  input.fail(`version ${version}, known are 2 and 3`);
}

function readValue(input: GgufInput, typeNumber: number, key: string, depth = 0): GgufValue {
  const type = valueTypes[typeNumber];
  if (type === undefined) return input.fail(`${key} has the unknown type ${typeNumber}`);
  if (type === "STRING") return input.text(key);
  if (type !== "ARRAY") return readNumber(input, type, key);
  if (depth === DEEPEST_ARRAY) return input.fail(`${key}: arrays within arrays`);
  return readArray(input, key, depth);
}

function readArray(input: GgufInput, key: string, depth: number): GgufValue {
  const typeNumber = input.uint32(`element type of ${key}`);
  const type = valueTypes[typeNumber];
  const fixed = type === undefined || type === "STRING" || type === "ARRAY" ? undefined : numberBytes[type];
  const length = input.count(`elements of ${key}`, fixed ?? 8);
  if (fixed !== undefined && length > LONGEST_KEPT_ARRAY) {
    input.skip(fixed * length, key);
    return { length };
  }
  const kept: GgufValue[] = [];
  for (let i = 0; i < length; i++) {
    const value = readValue(input, typeNumber, key, depth + 1);
    if (length <= LONGEST_KEPT_ARRAY) kept.push(value);
  }
  return length <= LONGEST_KEPT_ARRAY ? kept : { length };
}

function readNumber(input: GgufInput, type: NumberType, key: string): number | boolean {
  const value = input.number(type, key);
  return type === "BOOL" ? value !== 0 : value;
}

/** `start` still counts from the first byte of data. */
function readTensorEntry(input: GgufInput, name: string): Omit<GgufTensor, "end"> {
  const axes = input.uint32(`axes of ${name}`);
  if (axes > MOST_AXES) return input.fail(`${name} has ${axes} axes, 0 to ${MOST_AXES} are possible`);
  const lengths = Array.from({ length: axes }, () => input.uint64(`shape of ${name}`));
  const type = ggufType(input.uint32(`type of ${name}`));
  return { shape: lengths.reverse(), type, start: input.uint64(`place of ${name}`) };
}

/** Where the tensors lie in the file; one error names every one that cannot be where and what it says. */
function placeTensors(
  source: ByteSource,
  entries: ReadonlyMap<string, Omit<GgufTensor, "end">>,
  dataStart: number,
  alignment: number,
): Map<string, GgufTensor> {
  const placed = new Map<string, GgufTensor>();
  const faults: string[] = [];
  for (const [name, { shape, type, start: offset }] of entries) {
    const rowLength = shape.at(-1) ?? 1;
    const elements = shape.reduce((product, length) => product * length, 1);
    const start = dataStart + offset;
    const end = start + (elements / type.elements) * type.bytes;
    const text = `${name}: ${type.name} [${shape.join(", ")}]`;
    if (offset % alignment !== 0) faults.push(`${name}: begins at ${offset}, no multiple of ${alignment}`);
    else if (rowLength % type.elements !== 0)
      faults.push(`${text}: rows are no multiple of ${type.elements}`);
    else if (!(end <= source.size)) faults.push(`${text}: ends at byte ${end} of ${source.size} (cut off?)`);
    placed.set(name, { shape, type, start, end });
  }
  if (faults.length === 0) faults.push(...findOverlaps(placed));
  if (faults.length === 0) return placed;
  throw new LuvitError("bad-file", `${source.name}: not a valid GGUF file\n${listOffenders(faults)}`);
}

function findOverlaps(tensors: ReadonlyMap<string, GgufTensor>): string[] {
  const ordered = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  return ordered.flatMap(([name, { start }], i) => {
    const before = i > 0 ? ordered[i - 1] : undefined;
    return before && start < before[1].end ? [`${name}: overlaps ${before[0]}`] : [];
  });
}

/** Reference: ggml src/gguf.cpp, `gguf_init_from_file_impl`. */
function isAlignment(value: GgufValue): value is number {
  return typeof value === "number" && value >= 1 && value <= 2 ** 20 && Number.isInteger(Math.log2(value));
}
