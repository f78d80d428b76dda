import { LuvitError } from "../../core/errors";
import type { Stretch } from "../bytes";
import type { Body } from "./body";
import { PassingFailure, retrying } from "./retry";
import { type Answer, fail, type HubTransport } from "./transport";

/** A file of the hub at one commit. */
export interface RemoteFile {
  /** For messages. */
  readonly name: string;
  readonly path: string;
  readonly commit: string;
  readonly size: number;
  readonly etag: string;
}

/** A server that sends a file from its beginning is borne with up to here. */
const LARGEST_WASTE = 2 ** 25;

/** Reads stretches of one remote file, each with as many requests as it takes. */
export class RangeRequests {
  /** Where content came from: where the hub's redirection led, signed and valid for a while, or a mirror itself. */
  private direct: URL | undefined;

  constructor(
    private readonly transport: HubTransport,
    private readonly file: RemoteFile,
  ) {}

  /**
   * Hands on the bytes of a stretch in order, each once. Goes on where a connection broke off.
   * @throws LuvitError "network" when it does not get on, when the server knows no ranges, or sends other bytes.
   */
  read({ start, end }: Stretch, take: (position: number, chunk: Uint8Array) => void): Promise<void> {
    const { signal, settings } = this.transport;
    let position = start;
    const attempt = async () => {
      const answer = await this.ask(position, end);
      await drain(answer, signal, (chunk) => {
        const from = Math.max(0, position - answer.start);
        answer.start += chunk.length;
        const wanted = chunk.subarray(from, from + end - position);
        if (wanted.length > 0) take(position, wanted);
        position += wanted.length;
        return position < end || !answer.isWhole;
      });
      if (position < end) throw new PassingFailure(`the connection ended ${end - position} bytes early`);
    };
    const what = `${this.file.name}, bytes ${start} to ${end}`;
    return retrying({ what, signal, delay: settings.retryDelay, progress: () => position }, attempt);
  }

  private async ask(start: number, end: number): Promise<RangeAnswer> {
    const { transport, file } = this;
    const headers = { range: `bytes=${start}-${end - 1}` };
    const answer = this.direct
      ? await transport.openContent(this.direct, headers)
      : await transport.open(this.address(), headers);
    try {
      return this.checked(answer, start, end);
    } catch (error) {
      answer.body.discard();
      if (!this.direct || !isExpired(answer.status)) throw error;
      this.direct = undefined;
      throw new PassingFailure(`${file.name}: the signed address has expired (HTTP ${answer.status})`, 0);
    }
  }

  private checked(answer: Answer, start: number, end: number): RangeAnswer {
    const { status, body, url } = answer;
    const { file } = this;
    if (status === 416) return this.failLength(answer);
    if (status !== 206 && status !== 200) throw this.refusal(answer);
    const etag = answer.header("x-linked-etag")?.replace(/^W\/|"/g, "");
    if (etag !== undefined && etag !== file.etag) {
      throw new LuvitError(
        "network",
        `${file.name}: the listing calls its content ${file.etag}, the server ${etag}`,
      );
    }
    this.direct = url;
    if (status === 200) return { body, start: 0, isWhole: this.bearsWhole(answer, start, end) };
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.header("content-range") ?? "");
    if (!range || Number(range[1]) !== start || Number(range[2]) >= end) {
      const got = answer.header("content-range") ?? "no Content-Range";
      throw new LuvitError(
        "network",
        `${file.name}: bytes ${start}-${end - 1} were asked for, ${url.host} sent ${got}`,
      );
    }
    if (range[3] !== "*" && Number(range[3]) !== file.size) return this.failLength(answer);
    return { body, start, length: Number(range[2]) + 1 - start, isWhole: false };
  }

  private refusal({ status, url, header }: Answer): Error {
    const refusal = this.transport.refusalOf(status, header, this.file.commit, this.file.path);
    if (refusal instanceof PassingFailure || this.isHub(url)) return refusal;
    return new LuvitError(
      "network",
      `${this.file.name}: ${url.host}, where the hub sent us, answered HTTP ${status}`,
    );
  }

  private isHub(url: URL): boolean {
    return url.origin === new URL(this.transport.settings.endpoint).origin;
  }

  /** A server without ranges: no harm where nearly all is wanted anyway. */
  private bearsWhole({ url }: Answer, start: number, end: number): true {
    const { name, size } = this.file;
    if (start + (size - end) <= LARGEST_WASTE) return true;
    throw new LuvitError(
      "network",
      `${name}: ${url.host} ignores ranges and would send all ${(size / 1e6).toFixed(0)} MB; ` +
        "set HF_ENDPOINT to another mirror, or download the file and give its folder",
    );
  }

  private failLength(answer: Answer): never {
    const got = answer.header("content-range") ?? "another length";
    const text = `the listing says ${this.file.size} bytes, ${answer.url.host} says ${got}`;
    throw new LuvitError("network", `${this.file.name}: ${text}; the mirror may be out of date`);
  }

  private address(): URL {
    const { settings, repo } = this.transport;
    const path = this.file.path.split("/").map(encodeURIComponent).join("/");
    return new URL(`${settings.endpoint}/${repo}/resolve/${this.file.commit}/${path}`);
  }
}

interface RangeAnswer {
  readonly body: Body;
  /** Position of the next byte. */
  start: number;
  /** Bytes announced; unknown for a whole file. */
  readonly length?: number;
  /** The file from its beginning to its end, whatever was asked. */
  readonly isWhole: boolean;
}

function isExpired(status: number): boolean {
  return status === 400 || status === 401 || status === 403 || status === 404 || status === 410;
}

/** Feeds a body to `take` until that has enough. */
async function drain(
  { body, length }: RangeAnswer,
  signal: AbortSignal,
  take: (chunk: Uint8Array) => boolean,
): Promise<void> {
  let count = 0;
  try {
    await body.receive((chunk) => {
      count += chunk.length;
      if (length !== undefined && count > length) throw new PassingFailure("more bytes than announced");
      return take(chunk);
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    fail(error);
  }
}
