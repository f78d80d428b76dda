import { promisify } from "node:util";
import { brotliDecompress, gunzip, type InputType, inflate, type ZlibOptions } from "node:zlib";
import { LuvitError } from "../../core/errors";
import type { Body } from "./body";

/** Bytes, unpacked, of all answers to one question: configs, indices, the pages of a list. They are far smaller. */
export const LARGEST_ANSWERS = 64 * 2 ** 20;

/** Pages of one list; the hub's hold a thousand files each. */
export const MOST_ANSWERS = 1000;

/** How often the time after which a silent connection is given up an answer may take. */
const PATIENCE = 60;

type Unpack = (packed: InputType, options: ZlibOptions) => Promise<Uint8Array>;

const unpackers: Readonly<Record<string, Unpack>> = {
  gzip: promisify(gunzip) as Unpack,
  "x-gzip": promisify(gunzip) as Unpack,
  deflate: promisify(inflate) as Unpack,
  br: promisify(brotliDecompress) as Unpack,
};

/** What one question may still take: bytes and answers, each of these in its time. */
export class SmallAnswers {
  private bytesLeft = LARGEST_ANSWERS;
  private answersLeft = MOST_ANSWERS;

  constructor(
    private readonly what: string,
    private readonly idleTimeout: number,
  ) {}

  /**
   * Before each request.
   *
   * @throws LuvitError("network") when there were too many.
   */
  begin(): void {
    if (this.answersLeft-- <= 0) this.fail(`more than ${MOST_ANSWERS} pages`);
  }

  /**
   * A whole body, unpacked.
   *
   * @throws LuvitError("network") when it takes too much.
   */
  async read(body: Body, encoding: string | undefined): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const deadline = Date.now() + PATIENCE * this.idleTimeout;
    await body.receive((chunk) => {
      length += chunk.length;
      if (length > this.bytesLeft) this.failLength();
      if (Date.now() > deadline) this.fail(`not at its end after ${(PATIENCE * this.idleTimeout) / 1000} s`);
      chunks.push(new Uint8Array(chunk));
      return true;
    });
    const bytes = await this.unpack(Buffer.concat(chunks), encoding);
    this.bytesLeft -= bytes.length;
    return bytes;
  }

  private async unpack(packed: Uint8Array, encoding = "identity"): Promise<Uint8Array> {
    if (encoding === "identity" || encoding === "") return packed;
    const name = encoding.trim().toLowerCase();
    const unpack = Object.hasOwn(unpackers, name) ? unpackers[name] : undefined;
    if (!unpack) return this.fail(`packed as ${encoding}, which was not asked for`);
    try {
      return await unpack(packed, { maxOutputLength: this.bytesLeft });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") return this.failLength();
      return this.fail(`impossible to unpack (${(cause as Error).message})`);
    }
  }

  private failLength(): never {
    return this.fail(`longer than ${LARGEST_ANSWERS / 2 ** 20} MiB`);
  }

  private fail(problem: string): never {
    throw new LuvitError(
      "network",
      `${this.what}: an answer is ${problem}, which no config, index or list is`,
    );
  }
}
