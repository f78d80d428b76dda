/** Control characters, and those that turn the direction of writing. */
const UNSEEN = /\p{Cc}|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A text for a terminal: what would move the cursor, change colours or hide other text is written out (`\x1b`). Names of
 * files and texts of other machines may hold anything. Lines and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(UNSEEN, (character) => {
    if (character === "\n" || character === "\t") return character;
    if (character === "\r") return "\\r";
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`;
  });
}
