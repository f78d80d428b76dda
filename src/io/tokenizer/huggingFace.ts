import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { LuvitError } from "../../core/errors";
import { readJsonObject } from "../bytes";
import type { Tokenizer } from "./tokenizer";

const TOKENIZER_FILE = "tokenizer.json";
const CONFIG_FILE = "tokenizer_config.json";

/**
 * The tokenizer of a `tokenizer.json`, or of the folder that holds one.
 *
 * @throws LuvitError("missing-file") where there is none, LuvitError("bad-file") for one that cannot be understood.
 */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, TOKENIZER_FILE) : path;
  if (!existsSync(file)) {
    const advice =
      "a tokenizer is a tokenizer.json of Hugging Face's tokenizers, or the folder that holds it";
    throw new LuvitError("missing-file", `${file}: there is no such file; ${advice}`);
  }
  const { value } = await readJsonObject(file);
  const beside = join(dirname(file), CONFIG_FILE);
  const config = existsSync(beside) ? (await readJsonObject(beside)).value : {};
  try {
    const { Tokenizer: Made } = await import("@huggingface/tokenizers");
    return new JsonTokenizer(resolve(file), new Made(value, config));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new LuvitError("bad-file", `${file}: not a tokenizer that can be used: ${why}`, { cause });
  }
}

class JsonTokenizer implements Tokenizer {
  readonly size: number;
  readonly begin: readonly number[];

  constructor(
    readonly source: string,
    private readonly inner: HuggingFaceTokenizer,
  ) {
    this.size = 1 + Math.max(...inner.get_vocab(true).values());
    this.begin = this.beginning();
  }

  encode(text: string): number[] {
    return this.inner.encode(text, { add_special_tokens: false }).ids;
  }

  decode(tokens: readonly number[]): string {
    if (tokens.length === 0) return "";
    return this.inner.decode([...tokens], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  /** What it puts before a text by itself. */
  private beginning(): number[] {
    const [bare, whole] = [false, true].map(
      (special) => this.inner.encode("a", { add_special_tokens: special }).ids,
    );
    const at = whole.findIndex((_, i) => bare.every((token, j) => whole[i + j] === token));
    return at < 0 ? [] : whole.slice(0, at);
  }
}
