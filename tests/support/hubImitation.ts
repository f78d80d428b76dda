import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";

/*
 * An imitation of the hub on this machine: the questions of @huggingface/hub, `resolve` addresses that lead large files
 * to a second server with signed addresses, and the headers that huggingface_hub and @huggingface/hub rely on
 * (X-Repo-Commit, ETag, X-Linked-Etag, X-Linked-Size, X-Error-Code, Accept-Ranges, Link).
 */

export const commit = "0123456789abcdef0123456789abcdef01234567";

/** How the next answers go wrong. */
export interface Mischief {
  /** Which requests; default those for content of large files. */
  where?: (url: URL) => boolean;
  /** How many times; default once. */
  times?: number;
  status?: number;
  headers?: Record<string, string>;
  /** Break the connection after so many bytes. */
  breakAfter?: number;
  /** Send the whole file with 200. */
  ignoreRange?: boolean;
  /** Send a range shifted by so many bytes. */
  shift?: number;
  /** End properly so many bytes early. */
  shorten?: number;
  /** Wait so many milliseconds before each 64 KiB. */
  pause?: number;
  /** Send content without saying its length. */
  isChunked?: boolean;
  /** Claim this length for the file. */
  claimedSize?: number;
}

export interface Seen {
  method: string;
  url: URL;
  range: string | undefined;
  authorization: string | undefined;
}

export interface HubOptions {
  /** Files of the repository `org/name`. */
  folder: string;
  token?: string;
  /** Send large files from here instead of leading to the second server. */
  isMirror?: boolean;
  /** Name of the content of large files; default its SHA-256. */
  etagOf?: (name: string) => string;
}

const LARGE = /\.(safetensors|bin|gguf|pth)$/;
const REPO = "org/name";

export class Imitation {
  readonly seen: Seen[] = [];
  contentBytes = 0;
  private readonly mischiefs: Mischief[] = [];
  private readonly etags = new Map<string, string>();
  private readonly sockets = new Set<Socket>();
  private sentBefore = 0;
  private hub!: Server;
  private store!: Server;

  private constructor(private readonly options: HubOptions) {}

  static async start(options: HubOptions): Promise<Imitation> {
    const imitation = new Imitation(options);
    imitation.hub = await imitation.listen((request, response) => imitation.answer(request, response));
    imitation.store = await imitation.listen((request, response) =>
      imitation.answerContent(request, response),
    );
    return imitation;
  }

  get endpoint(): string {
    return addressOf(this.hub);
  }

  misbehave(mischief: Mischief): void {
    this.mischiefs.push({ times: 1, ...mischief });
  }

  behave(): void {
    this.mischiefs.length = 0;
  }

  /** Requests for stretches of large files. */
  get contentRequests(): Seen[] {
    return this.seen.filter(({ url }) => url.origin === addressOf(this.store));
  }

  /** Everything that was ever sent, HTTP's own bytes among them. */
  get bytesSent(): number {
    return [...this.sockets].reduce((sum, socket) => sum + socket.bytesWritten, this.sentBefore);
  }

  forget(): void {
    this.seen.length = 0;
    this.contentBytes = 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all([this.hub, this.store].map((server) => new Promise((done) => server.close(done))));
  }

  private async listen(
    handle: (request: IncomingMessage, response: ServerResponse) => unknown,
  ): Promise<Server> {
    const server = createServer((request, response) => {
      const url = new URL(request.url!, addressOf(server));
      const { method = "", headers } = request;
      this.seen.push({ method, url, range: headers.range, authorization: headers.authorization });
      handle(request, response);
    });
    server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => {
        this.sentBefore += socket.bytesWritten;
        this.sockets.delete(socket);
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return server;
  }

  private answer(request: IncomingMessage, response: ServerResponse): unknown {
    const url = new URL(request.url!, this.endpoint);
    const mischief = this.take(url, false);
    if (mischief?.status) return refuse(response, mischief.status, undefined, mischief.headers);
    const { token } = this.options;
    if (token && request.headers.authorization !== `Bearer ${token}`)
      return refuse(response, 401, "GatedRepo", {
        "x-error-message": "Access to model org/name is restricted.",
      });
    const path = decodeURIComponent(url.pathname);
    const model = /^\/api\/models\/(.+?)\/(revision|tree)\/([^/]+)$/.exec(path);
    const file = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const cached = /^\/api\/resolve-cache\/models\/(.+?)\/([0-9a-f]{40})\/(.+)$/.exec(path);
    const [, repo, ...rest] = model ?? file ?? cached ?? [];
    if (repo !== REPO) return refuse(response, 401, "RepoNotFound");
    const revision = model ? rest[1] : rest[0];
    if (revision !== "main" && revision !== commit) return refuse(response, 404, "RevisionNotFound");
    if (model) return model[2] === "tree" ? this.list(url, response) : this.describe(response);
    if (!this.names().includes(rest[1])) return refuse(response, 404, "EntryNotFound");
    if (cached) return this.send(rest[1], request, response, mischief);
    if (this.options.isMirror && LARGE.test(rest[1])) return this.send(rest[1], request, response, mischief);
    return this.resolve(rest[1], response);
  }

  private describe(response: ServerResponse): unknown {
    const lastModified = "2024-01-01T00:00:00.000Z";
    return json(response, {
      _id: "1",
      id: REPO,
      sha: commit,
      private: false,
      gated: false,
      downloads: 0,
      likes: 0,
      lastModified,
    });
  }

  /** Two files a page. */
  private list(url: URL, response: ServerResponse): unknown {
    const first = Number(url.searchParams.get("cursor") ?? 0);
    const names = this.names();
    if (first + 2 < names.length) {
      const next = new URL(url);
      next.searchParams.set("cursor", String(first + 2));
      response.setHeader("link", `<${next}>; rel="next"`);
    }
    return json(
      response,
      names.slice(first, first + 2).map((path) => {
        const { size } = statSync(join(this.options.folder, path));
        const entry = { type: "file", path, size, oid: this.blobHash(path) };
        return LARGE.test(path)
          ? { ...entry, lfs: { oid: this.etagOf(path), size, pointerSize: 134 } }
          : entry;
      }),
    );
  }

  private resolve(name: string, response: ServerResponse): unknown {
    response.setHeader("x-repo-commit", commit);
    response.setHeader("accept-ranges", "bytes");
    if (!LARGE.test(name)) {
      response.setHeader("etag", `"${this.blobHash(name)}"`);
      response.writeHead(307, {
        location: `/api/resolve-cache/models/${REPO}/${commit}/${encodeURIComponent(name)}`,
      });
      return response.end("Temporary Redirect");
    }
    response.setHeader("x-linked-etag", `"${this.etagOf(name)}"`);
    response.setHeader("x-linked-size", String(statSync(join(this.options.folder, name)).size));
    const location = `${addressOf(this.store)}/repos/${this.etagOf(name)}?name=${name}&X-Amz-Expires=3600&Signature=s`;
    return response.writeHead(302, { location }).end(`Found. Redirecting to ${location}`);
  }

  private answerContent(request: IncomingMessage, response: ServerResponse): unknown {
    const url = new URL(request.url!, addressOf(this.store));
    // As S3 does when a request is signed and authorised at once.
    if (request.headers.authorization) return refuse(response, 400);
    const mischief = this.take(url, true);
    if (mischief?.status) return refuse(response, mischief.status, undefined, mischief.headers);
    return this.send(url.searchParams.get("name")!, request, response, mischief);
  }

  private send(
    name: string,
    { headers, method }: IncomingMessage,
    response: ServerResponse,
    mischief: Mischief = {},
  ): unknown {
    const path = join(this.options.folder, name);
    const size = mischief.claimedSize ?? statSync(path).size;
    const range = mischief.ignoreRange ? null : /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "");
    const [start, last] = range ? [Number(range[1]), Math.min(Number(range[2]), size - 1)] : [0, size - 1];
    response.setHeader("accept-ranges", "bytes");
    if (range && start >= size)
      return refuse(response, 416, undefined, { "content-range": `bytes */${size}` });
    const [from, to] = [start + (mischief.shift ?? 0), last + (mischief.shift ?? 0)];
    const end = Math.max(from, to - (mischief.shorten ?? 0));
    const length: Record<string, string> = mischief.isChunked
      ? {}
      : { "content-length": String(end - from + 1) };
    if (range) response.writeHead(206, { ...length, "content-range": `bytes ${from}-${to}/${size}` });
    else response.writeHead(200, length);
    if (method === "HEAD" || size === 0) return response.end();
    return this.stream(path, from, end, response, mischief);
  }

  private stream(
    path: string,
    from: number,
    end: number,
    response: ServerResponse,
    mischief: Mischief,
  ): void {
    const { breakAfter = Number.POSITIVE_INFINITY, pause } = mischief;
    const highWaterMark = pause === undefined && breakAfter === Number.POSITIVE_INFINITY ? 2 ** 20 : 2 ** 16;
    const stream = createReadStream(path, { start: from, end, highWaterMark });
    let sent = 0;
    stream.on("data", (chunk) => {
      const part = chunk.slice(0, breakAfter - sent);
      sent += part.length;
      this.contentBytes += part.length;
      const ready = response.write(part);
      if (sent >= breakAfter) {
        stream.destroy();
        response.write("", () => setTimeout(() => response.destroy(), 10));
        return;
      }
      if (ready && pause === undefined) return;
      stream.pause();
      if (pause !== undefined) setTimeout(() => stream.resume(), pause);
      else response.once("drain", () => stream.resume());
    });
    stream.on("end", () => response.end());
    response.on("close", () => stream.destroy());
  }

  private take(url: URL, isContent: boolean): Mischief | undefined {
    const wanted = this.mischiefs.find(({ where, times }) => times! > 0 && (where?.(url) ?? isContent));
    if (wanted) wanted.times!--;
    return wanted;
  }

  private names(): string[] {
    return readdirSync(this.options.folder).sort();
  }

  etagOf(name: string): string {
    const known = this.etags.get(name);
    if (known) return known;
    const { folder, etagOf } = this.options;
    const etag =
      etagOf?.(name) ??
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex");
    this.etags.set(name, etag);
    return etag;
  }

  private blobHash(name: string): string {
    if (LARGE.test(name)) return createHash("sha1").update(name).digest("hex");
    const bytes = readFileSync(join(this.options.folder, name));
    return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  }
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function refuse(
  response: ServerResponse,
  status: number,
  code?: string,
  headers: Record<string, string> = {},
): unknown {
  return response.writeHead(status, { ...(code ? { "x-error-code": code } : {}), ...headers }).end();
}

function json(response: ServerResponse, value: unknown): unknown {
  response.setHeader("content-type", "application/json; charset=utf-8");
  return response.end(JSON.stringify(value));
}
