/*
 * File names are bytes, which usually are UTF-8. Those that are not (of archives that were packed in another encoding)
 * are held as text in which lone surrogates U+DC80 … U+DCFF stand for single bytes, as Python's `surrogateescape` does.
 */

const firstEscape = 0xdc00;
const escaped = /\p{Cs}/u;

/** A name as the file system has it, as text from which `fileSystemPath` gets it back. */
export function textOfName(bytes: Uint8Array): string {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at]);
    const part = bytes.subarray(at, at + length);
    let character: string | undefined;
    try {
      character = part.length === length ? strict.decode(part) : undefined;
    } catch {
      character = undefined;
    }
    text += character ?? String.fromCharCode(firstEscape + bytes[at]);
    at += character === undefined ? 1 : length;
  }
  return text;
}

function sequenceLength(first: number): number {
  return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** A path as functions of the file system take it: text, or the bytes that `textOfName` made text of. */
export function fileSystemPath(path: string): string | Buffer {
  if (!escaped.test(path)) return path;
  const parts = Array.from(path, (character) => {
    const byte = character.codePointAt(0)! - firstEscape;
    return character.length === 1 && byte >= 0x80 && byte <= 0xff
      ? Buffer.from([byte])
      : Buffer.from(character);
  });
  return Buffer.concat(parts);
}
