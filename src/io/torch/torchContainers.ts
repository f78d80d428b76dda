import { LuvitError, listOffenders } from "../../core/errors";
import type { ByteSource } from "../bytes";
import { placeArrays } from "./numpyArrays";
import { type PickleOptions, unpickle } from "./pickle";
import { PickleEndsEarly, PickleInput } from "./pickleInput";
import { elementBytes } from "./torchDtypes";
import { torchGlobals } from "./torchGlobals";
import { parseStorageId, type StorageRef } from "./torchTensors";
import { locateEntryData, readZipDirectory, type ZipEntry } from "./zipArchive";

/** The object a torch file holds, with references to its storages and where those lie. */
export interface TorchContainer {
  readonly root: unknown;
  /** First byte of a storage in the file. */
  locate(storage: StorageRef): Promise<number>;
}

/** More pickle than any checkpoint has (LLaMA-7B: 50 kB). */
const LARGEST_PICKLE = 64 * 2 ** 20;
const FIRST_GUESS = 2 ** 20;

/** How the old container begins: its magic number, pickled with protocol 2. */
const LEGACY_START = Buffer.from("80028a0a6cfc9c46f9206aa850192e", "hex");
const LEGACY_VERSION = 1001;

/**
 * Opens the zip container of torch.save (torch >= 1.6): `<name>/data.pkl` and one stored entry `<name>/data/<key>` per
 * storage.
 *
 * @throws LuvitError("bad-file") naming every storage that is missing or too short.
 */
export async function openZipContainer(source: ByteSource): Promise<TorchContainer> {
  const entries = await readZipDirectory(source);
  const pickleEntry = [...entries.values()].find(
    ({ name }) => name === "data.pkl" || name.endsWith("/data.pkl"),
  );
  if (!pickleEntry) fail(source, "a zip archive without data.pkl, not a torch file");
  const folder = pickleEntry.name.slice(0, -"data.pkl".length);
  if (entries.has(`${folder}constants.pkl`))
    fail(source, "a TorchScript program, not a state dict; save that with torch.save(model.state_dict(), …)");
  await requireLittleEndian(source, entries.get(`${folder}byteorder`));

  const { input, options, storages } = preparePickle(source, await readEntry(source, pickleEntry));
  const root = unpickle(input, options);
  const entryOf = (key: string) => entries.get(`${folder}data/${key}`);
  requireStorages(source, storages, (key) => entryOf(key)?.size);
  placeArrays(root);
  return {
    root,
    locate: async ({ key, dtype, windowStart }) =>
      (await locateEntryData(source, entryOf(key)!)) + windowStart * widthOf(dtype),
  };
}

/**
 * Opens the container of torch < 1.6: five pickles (magic number, version, system, object, storage names), then each
 * storage as an element count and its bytes.
 */
export async function openLegacyContainer(source: ByteSource): Promise<TorchContainer> {
  const { root, keys, storages, dataStart } = await readLegacyPickles(source);
  const places = await locateLegacyStorages(source, keys, storages, dataStart);
  requireStorages(source, storages, (key) => places.get(key)?.size);
  return {
    root,
    locate: async ({ key, dtype, windowStart }) => {
      return places.get(key)!.start + windowStart * widthOf(dtype);
    },
  };
}

/** Whether a pickle is the first of the old container's. */
export async function isLegacyContainer(source: ByteSource): Promise<boolean> {
  const start = await source.read(0, Math.min(LEGACY_START.length, source.size));
  return LEGACY_START.equals(start);
}

/** More than any checkpoint in one pickle has, and less than memory that one stretch can be. */
const LARGEST_ARRAYS = 2 ** 32 - 2 ** 20;

/**
 * Opens one pickle with numpy arrays in it, as detectron2's model zoo has them: { model: { name: array }, __author__, … }.
 * Any other pickle is examined too, so that a hostile one is refused by name.
 */
export async function openArrayPickle(source: ByteSource): Promise<TorchContainer> {
  if (source.size > LARGEST_ARRAYS)
    fail(source, `a pickle of ${source.size} bytes, too many to be read at once`);
  const { input, options, storages } = preparePickle(source, await source.read(0, source.size));
  const root = unpickle(input, options);
  if (placeArrays(root) === 0 || storages.length > 0)
    fail(source, "a pickle, but not one of torch.save, and without dicts of numpy arrays");
  if (input.position < source.size)
    fail(source, `${source.size - input.position} bytes behind the pickle's end`);
  return { root, locate: () => fail(source, "a storage outside the pickle") };
}

interface LegacyPickles {
  readonly root: unknown;
  readonly keys: readonly unknown[];
  readonly storages: readonly StorageRef[];
  /** First byte after the pickles. */
  readonly dataStart: number;
}

/** The pickles' length is written nowhere: reads a piece of the file and, when it ends early, a longer one. */
async function readLegacyPickles(source: ByteSource): Promise<LegacyPickles> {
  for (let guess = FIRST_GUESS; ; guess *= 8) {
    const length = Math.min(guess, source.size, LARGEST_PICKLE);
    const bytes = await source.read(0, length);
    try {
      return parseLegacyPickles(source, bytes);
    } catch (error) {
      if (!(error instanceof PickleEndsEarly) || length < guess) throw error;
    }
  }
}

function parseLegacyPickles(source: ByteSource, bytes: Uint8Array): LegacyPickles {
  const { input, options, storages } = preparePickle(source, bytes);
  unpickle(input, options); // the magic number, by which the container was told
  const version = unpickle(input, options);
  if (version !== LEGACY_VERSION) fail(source, "an unknown version of the old torch container");
  const system = unpickle(input, options);
  if (system instanceof Map && system.get("little_endian") === false) failByteOrder(source);
  const root = unpickle(input, options);
  const keys = unpickle(input, options);
  placeArrays(root);
  if (!Array.isArray(keys)) return fail(source, "an old torch container without its list of storages");
  return { root, keys, storages, dataStart: input.position };
}

interface Place {
  readonly start: number;
  /** Bytes. */
  readonly size: number;
}

async function locateLegacyStorages(
  source: ByteSource,
  keys: readonly unknown[],
  storages: readonly StorageRef[],
  dataStart: number,
): Promise<Map<string, Place>> {
  const widths = new Map(storages.map(({ key, dtype }) => [key, widthOf(dtype)]));
  const places = new Map<string, Place>();
  let at = dataStart;
  for (const key of keys) {
    const width = widths.get(key as string);
    if (width === undefined) return fail(source, "storage data that no tensor refers to");
    if (width === 0) return fail(source, `storage ${key} has a type whose length is not known`);
    if (places.has(key as string)) return fail(source, `storage ${key} is there twice`);
    const head = await source.read(at, at + 8);
    const elements = Number(new DataView(head.buffer, head.byteOffset, 8).getBigInt64(0, true));
    const size = elements * width;
    const start = at + 8;
    if (elements < 0 || start + size > source.size) {
      return fail(source, `storage ${key} is cut off: ${size} bytes expected, ${source.size - start} left`);
    }
    places.set(key as string, { start, size });
    at = start + size;
  }
  return places;
}

function preparePickle(source: ByteSource, bytes: Uint8Array) {
  const storages: StorageRef[] = [];
  const options: PickleOptions = {
    source: source.name,
    globals: torchGlobals(source.name),
    persistentLoad: (id) => {
      const storage = parseStorageId(source.name, id);
      storages.push(storage);
      return storage;
    },
  };
  return { input: new PickleInput(source.name, bytes), options, storages };
}

/** Bytes of an element of a storage; 0 where nobody knows. */
function widthOf(dtype: string | undefined): number {
  return dtype === undefined ? 1 : (elementBytes(dtype) ?? 0);
}

function requireStorages(
  source: ByteSource,
  storages: readonly StorageRef[],
  sizeOfStorage: (key: string) => number | undefined,
): void {
  const faults = new Set<string>();
  for (const { key, dtype, elements, windowStart } of storages) {
    const needed = (windowStart + elements) * widthOf(dtype);
    const size = sizeOfStorage(key);
    if (size === undefined) faults.add(`data/${key}: missing`);
    else if (size < needed) faults.add(`data/${key}: ${needed} bytes expected, ${size} found`);
  }
  if (faults.size > 0) fail(source, `storages are missing or too short\n${listOffenders([...faults])}`);
}

async function requireLittleEndian(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (!entry || entry.size > 16) return;
  if (new TextDecoder().decode(await readEntry(source, entry)) !== "little") failByteOrder(source);
}

async function readEntry(source: ByteSource, entry: ZipEntry): Promise<Uint8Array> {
  if (entry.size > LARGEST_PICKLE)
    fail(source, `${entry.name} has ${entry.size} bytes, too many for a pickle`);
  const start = await locateEntryData(source, entry);
  return source.read(start, start + entry.size);
}

function failByteOrder(source: ByteSource): never {
  return fail(source, "written on a big-endian machine, which is not supported");
}

function fail(source: ByteSource, problem: string): never {
  throw new LuvitError("bad-file", `${source.name}: ${problem}`);
}
