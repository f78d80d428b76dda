/** From text to the tokens of a language model and back. */
export interface Tokenizer {
  /** "bytes", or the file it was read from. */
  readonly source: string;
  /** Tokens it knows; their numbers are below. */
  readonly size: number;
  /** Tokens that a sequence begins with. */
  readonly begin: readonly number[];
  /** `text` as it stands: nothing is put before or behind it; names of special tokens in it are those tokens. */
  encode(text: string): number[];
  /** Text of tokens, special ones left out. */
  decode(tokens: readonly number[]): string;
}

/** A token per byte of UTF-8, as the toy language model has them. Bytes that are no UTF-8 become U+FFFD. */
export const bytes: Tokenizer = {
  source: "bytes",
  size: 256,
  begin: [],
  encode: (text) => [...Buffer.from(text, "utf8")],
  decode: (tokens) => Buffer.from(tokens.filter((token) => token < 256)).toString("utf8"),
};
