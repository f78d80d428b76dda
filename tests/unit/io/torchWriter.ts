/** Writes pickles and zip containers by hand, good and bad ones, for the tests of the readers. */

/** Raw pickle opcodes. */
export const op = {
  proto: [0x80, 2],
  mark: [0x28],
  stop: [0x2e],
  none: [0x4e],
  false: [0x89],
  true: [0x88],
  emptyTuple: [0x29],
  emptyList: [0x5d],
  emptyDict: [0x7d],
  tuple: [0x74],
  tuple1: [0x85],
  reduce: [0x52],
  build: [0x62],
  persistent: [0x51],
  append: [0x61],
  setItem: [0x73],
  setItems: [0x75],
  newObject: [0x81],
} as const;

export function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [0x58, ...uint32(bytes.length), ...bytes];
}

export function integer(value: number): number[] {
  if (value >= 0 && value < 256) return [0x4b, value];
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return [0x4a, ...uint32(value)];
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return [0x8a, 8, ...bytes];
}

export function global(module: string, name: string): number[] {
  return [0x63, ...Buffer.from(`${module}\n${name}\n`)];
}

export function put(index: number): number[] {
  return [0x71, index];
}

export function get(index: number): number[] {
  return [0x68, index];
}

export function tuple(...items: (readonly number[])[]): number[] {
  return [...op.mark, ...items.flat(), ...op.tuple];
}

/** A tensor on a storage of the same name, as torch.save pickles it. */
export function tensorOpcodes(
  key: string,
  storageType: string,
  storageElements: number,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
  metadata: readonly (readonly number[])[] = [],
  window?: readonly number[],
): number[] {
  const storage = tuple(
    text("storage"),
    global("torch", storageType),
    text(key),
    text("cpu"),
    integer(storageElements),
    ...(window ? [window] : []),
  );
  const hooks = [...global("collections", "OrderedDict"), ...op.emptyTuple, ...op.reduce];
  const size = tuple(...shape.map(integer));
  const steps = tuple(...strides.map(integer));
  const place = [[...storage, ...op.persistent], integer(offset), size, steps];
  const args = tuple(...place, [...op.false], hooks, ...metadata);
  return [...global("torch._utils", "_rebuild_tensor_v2"), ...args, ...op.reduce];
}

/** `{ name: value }`. */
export function dict(entries: Record<string, readonly number[]>): number[] {
  const items = Object.entries(entries).flatMap(([name, value]) => [...text(name), ...value]);
  return [...op.emptyDict, ...op.mark, ...items, ...op.setItems];
}

/** The same as a complete pickle. */
export function dictPickle(entries: Record<string, readonly number[]>): Uint8Array {
  return Uint8Array.from([...op.proto, ...dict(entries), ...op.stop]);
}

/** A tensor whose type is no storage's, as torch.save pickles it since 2.3. */
export function typedTensorOpcodes(
  key: string,
  dtype: string,
  bytes: number,
  shape: readonly number[],
): number[] {
  const storage = tuple(
    text("storage"),
    global("torch.storage", "UntypedStorage"),
    text(key),
    text("cpu"),
    integer(bytes),
  );
  const hooks = [...global("collections", "OrderedDict"), ...op.emptyTuple, ...op.reduce];
  const strides = shape.map((_, axis) =>
    shape.slice(axis + 1).reduce((product, length) => product * length, 1),
  );
  const place = [
    [...storage, ...op.persistent],
    integer(0),
    tuple(...shape.map(integer)),
    tuple(...strides.map(integer)),
  ];
  const args = tuple(...place, [...op.false], hooks, global("torch", dtype));
  return [...global("torch._utils", "_rebuild_tensor_v3"), ...args, ...op.reduce];
}

/** A torch zip file with one entry per storage. */
export function torchZip(pickle: Uint8Array, storages: Record<string, Uint8Array> = {}): Uint8Array {
  const entries: Record<string, Uint8Array> = { "archive/data.pkl": pickle };
  for (const [key, bytes] of Object.entries(storages)) entries[`archive/data/${key}`] = bytes;
  return zip(entries);
}

/** How to write a zip archive out of the ordinary. */
export interface ZipOptions {
  method?: number;
  flags?: number;
  /** Put sizes and positions into ZIP64 fields. */
  zip64?: boolean;
  comment?: string;
}

/** A zip archive of stored entries; checksums are left 0. */
export function zip(entries: Record<string, Uint8Array>, options: ZipOptions = {}): Uint8Array {
  const { method = 0, flags = 0, zip64 = false, comment = "" } = options;
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  const names = Object.keys(entries);
  for (const name of names) {
    const data = entries[name];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const extra = zip64
      ? Buffer.concat([le16(1), le16(24), le64(data.length), le64(data.length), le64(position)])
      : Buffer.alloc(0);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(zip64 ? 0xffffffff : data.length, 20);
    central.writeUInt32LE(zip64 ? 0xffffffff : data.length, 24);
    central.writeUInt16LE(Buffer.byteLength(name), 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE(zip64 ? 0xffffffff : position, 42);
    directory.push(central, Buffer.from(name), extra);
    parts.push(local, Buffer.from(name), Buffer.from(data));
    position += 30 + Buffer.byteLength(name) + data.length;
  }
  const central = Buffer.concat(directory);
  const wide = zip64 ? zip64End(names.length, central.length, position) : Buffer.alloc(0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : names.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : central.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : position, 16);
  end.writeUInt16LE(comment.length, 20);
  return Uint8Array.from(Buffer.concat([...parts, central, wide, end, Buffer.from(comment)]));
}

function zip64End(count: number, length: number, start: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  le64(count).copy(record, 32);
  le64(length).copy(record, 40);
  le64(start).copy(record, 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  le64(start + length).copy(locator, 8);
  return Buffer.concat([record, locator]);
}

function le16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function le64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function uint32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}
