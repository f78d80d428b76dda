import { LuvitError } from "../../core/errors";

/** Numbers, and structs and lists of them, by field id; text and other bytes only by their length. */
export type ThriftValue = number | boolean | Uint8Array | readonly ThriftValue[] | ThriftStruct;

/** A struct by field id. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

const deepest = 24;

/**
 * Walks one struct of Thrift's compact protocol and refuses lists and texts longer than the bytes that are left, so that
 * a reader that trusts these lengths may follow. Gives the struct and the position behind it; throws "bad-file".
 */
export function readThrift(
  bytes: Uint8Array,
  start: number,
  what: string,
): { value: ThriftStruct; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;

  const fail = (reason: string): never => {
    throw new LuvitError("bad-file", `${what}: ${reason} at byte ${at}`);
  };
  const byte = (): number => (at < bytes.length ? view.getUint8(at++) : fail("ends too early"));
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const next = byte();
      value += (next & 127) * factor;
      if (next < 128) return value;
    }
    return fail("a number of more than 10 bytes");
  };
  const zigzag = (): number => {
    const value = varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const length = (): number => {
    const value = varint();
    return value <= bytes.length - at
      ? value
      : fail(`a length of ${value} where ${bytes.length - at} bytes are left`);
  };
  const list = (depth: number): ThriftValue[] => {
    const head = byte();
    const count = head >> 4 === 15 ? length() : head >> 4;
    if (count > bytes.length - at) fail(`a list of ${count} where ${bytes.length - at} bytes are left`);
    const isBoolean = (head & 15) <= 2;
    return Array.from({ length: count }, () => (isBoolean ? byte() === 1 : element(head & 15, depth)));
  };
  const struct = (depth: number): ThriftStruct => {
    if (depth > deepest) fail("structs nested too deeply");
    const fields = new Map<number, ThriftValue>();
    for (let id = 0, head = byte(); (head & 15) !== 0; head = byte()) {
      id = head >> 4 ? id + (head >> 4) : zigzag();
      fields.set(id, element(head & 15, depth));
    }
    return fields;
  };
  const element = (type: number, depth: number): ThriftValue => {
    if (type === 1 || type === 2) return type === 1;
    if (type === 3) return byte();
    if (type >= 4 && type <= 6) return zigzag();
    if (type === 9) return list(depth + 1);
    if (type === 12) return struct(depth + 1);
    if (type !== 7 && type !== 8) fail(`an element of unknown type ${type}`);
    const size = type === 7 ? 8 : length();
    if (size > bytes.length - at) fail("ends too early");
    at += size;
    return bytes.subarray(at - size, at);
  };

  const value = struct(0);
  return { value, end: at };
}
