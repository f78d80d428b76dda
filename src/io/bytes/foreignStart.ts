/** First bytes of what people have in place of JSON, as code points, and what it is. */
const starts: readonly [string, string][] = [
  ["\xff\xfe", "UTF-16 text, where JSON is UTF-8; save it as UTF-8"],
  ["\xfe\xff", "UTF-16 text, where JSON is UTF-8; save it as UTF-8"],
  ["\x1f\x8b", "compressed with gzip; unpack it first"],
  ["PK\x03\x04", "a zip archive; unpack it first"],
  ["\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"],
  ["\xfd7zXZ", "compressed with xz; unpack it first"],
  ["<", "an HTML or XML page, as a download that failed leaves"],
];

/** What a file is whose first bytes cannot be those of JSON; undefined where they can, or nobody knows. */
export function foreignStart(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 64)).trimStart();
  return starts.find(([start]) => text.startsWith(start))?.[1];
}
