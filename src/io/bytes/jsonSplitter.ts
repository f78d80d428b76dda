import { isUtf8 } from "node:buffer";
import { LuvitError } from "../../core/errors";

/** A value between two brackets or commas: the key of the list or object it lies in, its number there, its text. */
export type PartUse = (key: string | undefined, index: number, text: string) => void;

/** Texts of JavaScript have at most twice as many characters. */
const LARGEST_PART = 256 * 2 ** 20;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const byteOrderMark = [0xef, 0xbb, 0xbf];

const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** What comes next outside of a part. */
type Expected =
  | "an object or a list"
  | "a key or }"
  | "a key"
  | ":"
  | "a value"
  | "an entry or ]"
  | "an entry"
  | ", or ]"
  | ", or }"
  | "nothing more";

/** Cuts a JSON text that comes in chunks of bytes into parts, which are not looked into. */
export class JsonSplitter {
  private expected: Expected = "an object or a list";
  private isList = false;
  private key: string | undefined;
  private readonly keys = new Set<string>();
  private index = 0;
  private position = 0;
  /** Of the part that is being read. */
  private kind: "none" | "key" | "part" = "none";
  private pieces: Uint8Array[] = [];
  private held = 0;
  private depth = 0;
  private inText = false;
  private escaped = false;

  constructor(private readonly use: PartUse) {}

  push(bytes: Uint8Array): void {
    let start = this.kind === "none" ? -1 : 0;
    for (let at = 0; at < bytes.length; at++) {
      if (this.kind === "none") {
        this.structure(bytes[at], this.position + at);
        if (this.kind === "none") continue;
        start = at;
      }
      const end = this.endOf(bytes[at], at);
      if (end < 0) continue;
      this.hold(bytes.subarray(start, end));
      this.finish();
      if (end === at) this.structure(bytes[at], this.position + at);
    }
    if (this.kind !== "none") this.hold(new Uint8Array(bytes.subarray(start)));
    this.position += bytes.length;
  }

  /** @throws LuvitError("bad-file") when the text is not at its end. */
  end(): void {
    if (this.expected === "nothing more") return;
    const open = this.key === undefined ? "" : ` in "${this.key}"`;
    throw new LuvitError("bad-file", `the JSON ends${open} after ${this.position} bytes (cut off?)`);
  }

  /** Where the part ends with this byte: behind it, before it, or (-1) not yet. */
  private endOf(byte: number, at: number): number {
    if (this.inText) {
      if (this.escaped) this.escaped = false;
      else if (byte === BACKSLASH) this.escaped = true;
      else if (byte === QUOTE) {
        this.inText = false;
        if (this.depth === 0) return at + 1;
      }
      return -1;
    }
    if (byte === QUOTE) this.inText = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.depth++;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      if (this.depth === 0) return at;
      if (--this.depth === 0) return at + 1;
    } else if (this.depth === 0 && (byte === COMMA || isSpace(byte))) return at;
    return -1;
  }

  private hold(piece: Uint8Array): void {
    this.held += piece.length;
    if (this.held > LARGEST_PART)
      throw new LuvitError(
        "bad-file",
        `an entry of more than ${LARGEST_PART} bytes before byte ${this.position}`,
      );
    this.pieces.push(piece);
  }

  private finish(): void {
    const bytes = Buffer.concat(this.pieces);
    const text = bytes.toString("utf8");
    if (text.includes("\ufffd") && !isUtf8(bytes))
      throw new LuvitError("bad-file", `text that is not UTF-8: ${JSON.stringify(text.slice(0, 160))}`);
    const { kind } = this;
    this.pieces = [];
    this.held = 0;
    this.kind = "none";
    if (kind === "part") this.use(this.key, this.index++, text);
    else this.takeKey(text);
  }

  private takeKey(text: string): void {
    try {
      this.key = JSON.parse(text) as string;
    } catch (cause) {
      throw new LuvitError("bad-file", `the key ${text.slice(0, 80)} is not JSON`, { cause });
    }
    if (this.keys.has(this.key)) throw new LuvitError("bad-file", `"${this.key}" is there twice`);
    this.keys.add(this.key);
    this.index = 0;
  }

  private structure(byte: number, position: number): void {
    if (isSpace(byte) || (position < 3 && byte === byteOrderMark[position])) return;
    const next = this.next(byte);
    if (next) {
      this.expected = next;
      return;
    }
    const found = JSON.stringify(String.fromCharCode(byte));
    throw new LuvitError(
      "bad-file",
      `not JSON: ${found} where ${this.expected} is expected, at byte ${position + 1}`,
    );
  }

  /** What is expected after this byte; undefined where the byte cannot be. */
  private next(byte: number): Expected | undefined {
    const afterPart: Expected = this.isList || this.expected.includes("entry") ? ", or ]" : ", or }";
    switch (this.expected) {
      case "an object or a list":
        this.isList = byte === OPEN_LIST;
        return byte === OPEN_OBJECT ? "a key or }" : this.isList ? "an entry or ]" : undefined;
      case "a key or }":
      case "a key":
        if (byte === CLOSE_OBJECT && this.expected === "a key or }") return "nothing more";
        return byte === QUOTE ? this.begin("key", ":") : undefined;
      case ":":
        return byte === COLON ? "a value" : undefined;
      case "a value":
        return byte === OPEN_LIST ? "an entry or ]" : this.beginPart(byte, afterPart);
      case "an entry or ]":
      case "an entry":
        if (byte === CLOSE_LIST && this.expected === "an entry or ]") return this.closed();
        return this.beginPart(byte, afterPart);
      case ", or ]":
        return byte === COMMA ? "an entry" : byte === CLOSE_LIST ? this.closed() : undefined;
      case ", or }":
        return byte === COMMA ? "a key" : byte === CLOSE_OBJECT ? "nothing more" : undefined;
      default:
        return undefined;
    }
  }

  private closed(): Expected {
    return this.isList ? "nothing more" : ", or }";
  }

  private beginPart(byte: number, next: Expected): Expected | undefined {
    const isEnd = byte === CLOSE_LIST || byte === CLOSE_OBJECT || byte === COMMA || byte === COLON;
    return isEnd ? undefined : this.begin("part", next);
  }

  private begin(kind: "key" | "part", next: Expected): Expected {
    this.kind = kind;
    this.depth = 0;
    this.inText = false;
    this.escaped = false;
    return next;
  }
}
