import { LuvitError, listOffenders } from "../../core/errors";
import type { ByteSource } from "./byteSource";

/** @throws LuvitError("key-mismatch") naming every tensor that the header of a file does not have. */
export function requireNames(
  source: ByteSource,
  header: { readonly tensors: ReadonlyMap<string, unknown> },
  names: readonly string[],
): void {
  const missing = names.filter((name) => !header.tensors.has(name));
  if (missing.length === 0) return;
  const text = `${source.name}: these tensors are not in the file\n${listOffenders(missing)}`;
  throw new LuvitError("key-mismatch", text);
}
