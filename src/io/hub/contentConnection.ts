import { connect, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { LuvitError } from "../../core/errors";
import { type AnswerHead, parseAnswerHead } from "./answerHead";
import type { Body } from "./body";
import { PassingFailure } from "./retry";

/** Bytes taken from the system at once. */
const RECEIVED_AT_ONCE = 2 ** 18;
const LONGEST_HEAD = 2 ** 16;

const nothing = Buffer.alloc(0);

/** What the connection is at. */
interface Step {
  /** Whether to go on reading. */
  arrived(chunk: Uint8Array): boolean;
  failed(error: Error): void;
}

/**
 * A kept HTTP/1.1 connection for hundreds of megabytes: the system writes everything into one buffer, again and again.
 * Clients that hand out each chunk in memory of its own take more, most of it for that memory: loading LLaMA-7B's block
 * (405 MB) with it, checking the numbers and writing the cache included, took 0.74 times as long as undici alone takes
 * for the bytes (median of pairs; 2 cores). Measured by `npm run bench -- load-block --steps 3 --warmup 1`.
 */
export class ContentConnection implements Body {
  private readonly socket: Socket;
  private step: Step | undefined;
  /** What came and was not taken yet: the beginning of a head, or of a body. */
  private early = nothing;
  /** Bytes of the body still to come. */
  private remaining = 0;
  private keepsOpen = true;
  private answers = 0;

  /** `freed` is called when another request may be sent, `closed` when none can. */
  constructor(
    { protocol, hostname, port }: URL,
    idleTimeout: number,
    private readonly freed: (self: ContentConnection) => void,
    closed: (self: ContentConnection) => void,
  ) {
    const host = hostname.replace(/^\[|\]$/g, "");
    const onread = {
      buffer: Buffer.allocUnsafeSlow(RECEIVED_AT_ONCE),
      callback: (count: number, buffer: Uint8Array) => this.arrived(buffer.subarray(0, count)),
    };
    const isSecure = protocol === "https:";
    const place = { host, port: Number(port) || (isSecure ? 443 : 80), onread };
    const names = isIP(host) ? {} : { servername: host };
    this.socket = isSecure
      ? connectSecurely({ ...place, ...names, ALPNProtocols: ["http/1.1"] })
      : connect(place);
    this.socket.setNoDelay(true);
    this.socket.setTimeout(idleTimeout, () =>
      this.end(new PassingFailure(`nothing came for ${idleTimeout / 1000} s`)),
    );
    this.socket.on("error", (error) => this.end(error));
    this.socket.on("end", () => this.end());
    this.socket.on("close", () => {
      this.end();
      closed(this);
    });
  }

  /** Sends a request. The body of its answer must be received or discarded before the next. */
  ask({ pathname, search, host }: URL, headers: Readonly<Record<string, string>>): Promise<AnswerHead> {
    const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise<AnswerHead>((resolve, reject) => {
      this.step = { arrived: (chunk) => this.readHead(chunk, resolve), failed: reject };
      this.socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
      this.socket.resume();
    });
  }

  receive(take: (chunk: Uint8Array) => boolean): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.step = { arrived: (chunk) => this.readBody(chunk, take, resolve), failed: reject };
      const { early } = this;
      this.early = nothing;
      this.arrived(early);
      if (this.socket.destroyed) this.end();
      else this.socket.resume();
    });
  }

  discard(): void {
    this.end();
  }

  private arrived(chunk: Uint8Array): boolean {
    try {
      if (this.step) return this.step.arrived(chunk);
      this.end(); // nothing was asked
    } catch (error) {
      this.end(error as Error);
    }
    return false;
  }

  private readHead(chunk: Uint8Array, resolve: (head: AnswerHead) => void): boolean {
    this.early = Buffer.concat([this.early, chunk]);
    const end = this.early.indexOf("\r\n\r\n");
    if (end < 0 && this.early.length > LONGEST_HEAD)
      throw new LuvitError("network", `the head of an answer is longer than ${LONGEST_HEAD} bytes`);
    if (end < 0) return true;
    const head = parseAnswerHead(this.early.toString("latin1", 0, end));
    this.early = this.early.subarray(end + 4);
    if (head.status < 200) return this.readHead(nothing, resolve);
    this.answers++;
    this.remaining = head.length ?? 0;
    this.keepsOpen = head.keepsOpen;
    this.step = undefined;
    resolve(head);
    return false;
  }

  private readBody(chunk: Uint8Array, take: (chunk: Uint8Array) => boolean, resolve: () => void): boolean {
    this.remaining -= chunk.length;
    if (this.remaining < 0) throw new PassingFailure("more bytes than announced");
    const wantsMore = chunk.length === 0 || take(chunk);
    if (this.remaining > 0 && wantsMore) return true;
    this.step = undefined;
    resolve();
    if (this.remaining === 0 && this.keepsOpen) this.freed(this);
    else this.end();
    return true;
  }

  private end(error?: Error): void {
    const { step } = this;
    this.step = undefined;
    this.socket.destroy();
    // A server may close a kept connection at any time, also while a request is on its way.
    const wasKept = this.answers > 0 && this.early.length === 0 && this.remaining === 0;
    step?.failed(error ?? new PassingFailure("the connection ended early", wasKept ? 0 : undefined));
  }
}

/** Content connections to whoever sends content, kept while they are not used. */
export class ContentConnections {
  private readonly all = new Set<ContentConnection>();
  private readonly free = new Map<string, ContentConnection[]>();

  constructor(private readonly idleTimeout: number) {}

  to(url: URL): ContentConnection {
    const free = this.free.get(url.origin) ?? [];
    this.free.set(url.origin, free);
    const kept = free.pop();
    if (kept) return kept;
    const closed = (connection: ContentConnection) => {
      this.all.delete(connection);
      const index = free.indexOf(connection);
      if (index >= 0) free.splice(index, 1);
    };
    const fresh = new ContentConnection(url, this.idleTimeout, (freed) => free.push(freed), closed);
    this.all.add(fresh);
    return fresh;
  }

  close(): void {
    for (const connection of this.all) connection.discard();
  }
}
