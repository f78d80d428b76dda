import { LuvitError } from "../core/errors";

/**
 * JSON with line and block comments and commas before closing brackets.
 * @throws LuvitError("bad-file") with line and column.
 */
export function parseJsonWithComments(name: string, text: string): unknown {
  const reader = new Reader(name, text);
  const value = reader.value();
  reader.end();
  return value;
}

const BLANK = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const STRING = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const WORD = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Reader {
  private at = 0;

  constructor(
    private readonly name: string,
    private readonly text: string,
  ) {}

  value(): unknown {
    this.take(BLANK);
    if (this.skip("{")) return Object.fromEntries(this.items("}", () => this.member()));
    if (this.skip("[")) return this.items("]", () => this.value());
    const word = this.take(STRING) ?? this.take(WORD);
    return word === undefined ? this.fail("a value") : JSON.parse(word);
  }

  end(): void {
    this.take(BLANK);
    if (this.at < this.text.length) this.fail("the end");
  }

  private member(): [string, unknown] {
    const key = this.take(STRING) ?? this.fail("a name in double quotes");
    this.take(BLANK);
    if (!this.skip(":")) this.fail('":"');
    return [JSON.parse(key), this.value()];
  }

  /** Items up to a closing bracket, with or without a comma before it. */
  private items<T>(close: string, item: () => T): T[] {
    const found: T[] = [];
    for (;;) {
      this.take(BLANK);
      if (this.skip(close)) return found;
      found.push(item());
      this.take(BLANK);
      if (this.skip(",")) continue;
      if (this.skip(close)) return found;
      this.fail(`"," or "${close}"`);
    }
  }

  private skip(mark: string): boolean {
    if (!this.text.startsWith(mark, this.at)) return false;
    this.at += mark.length;
    return true;
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.text) ?? [];
    this.at += found?.length ?? 0;
    return found;
  }

  private fail(expected: string): never {
    const lines = this.text.slice(0, this.at).split("\n");
    const place = `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
    const came = this.text.slice(this.at, this.at + 20).split("\n")[0];
    throw new LuvitError(
      "bad-file",
      `${this.name}: ${place}: not JSON: expected ${expected}, got ${came === "" ? "nothing" : came}`,
    );
  }
}
