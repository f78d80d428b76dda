/** Control characters, what turns the direction of writing, line and paragraph separators, halves of characters. */
const unsafe = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu;

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * A name from outside, e.g. of a file, for a terminal, a log or a message: characters that a terminal obeys instead of
 * showing them are written out (`\x1b`), and so are bytes of names that are not UTF-8 (see `textOfName`).
 */
export function printable(name: string): string {
  return name.replace(unsafe, writtenOut);
}

/** The same for text of several lines, whose line breaks and tabs stay. */
export function printableLines(text: string): string {
  return text
    .split(/([\n\t])/)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join("");
}

function writtenOut(character: string): string {
  const code = character.codePointAt(0)!;
  const isByte = code >= 0xdc80 && code <= 0xdcff;
  if (named[character]) return named[character];
  if (code < 0x100 || isByte) return `\\x${(code & 0xff).toString(16).padStart(2, "0")}`;
  return `\\u{${code.toString(16)}}`;
}
