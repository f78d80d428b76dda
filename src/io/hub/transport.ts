import type { Dispatcher } from "undici";
import { brief } from "../../core/brief";
import { LuvitError } from "../../core/errors";
import { type Body, StreamedBody } from "./body";
import { ContentConnections } from "./contentConnection";
import { Connections } from "./proxy";
import { explainRefusal, type Subject } from "./refusal";
import { PassingFailure, retrying } from "./retry";
import type { HubSettings } from "./settings";
import { SmallAnswers } from "./smallAnswers";
import { undici } from "./undici";

/** The start of an answer whose body is still to come. */
export interface Answer {
  readonly status: number;
  /** Where it came from, after redirections. */
  readonly url: URL;
  /** Headers of all answers on the way, the last one's first. */
  header(name: string): string | undefined;
  readonly body: Body;
}

const MOST_REDIRECTIONS = 10;
const userAgent = "luvit";

/** Asks the hub: with the token where it belongs, through the proxy where there is one, again where that may help. */
export class HubTransport {
  private readonly connections = new Connections();
  private readonly content: ContentConnections;
  /** Servers whose answers end in other ways than by their length. */
  private readonly unmeasured = new Set<string>();

  constructor(
    readonly settings: HubSettings,
    readonly repo: string,
    readonly signal: AbortSignal,
  ) {
    this.content = new ContentConnections(settings.idleTimeout);
    signal.addEventListener("abort", () => this.content.close(), { once: true });
  }

  /**
   * A `fetch` for @huggingface/hub, whose own knows neither proxies, repetition nor limits, insists on tokens that begin
   * with hf_ and forgets the hub's reasons. For one question, whose answers together have one limit.
   * @throws LuvitError saying what the hub refused.
   */
  fetchFor(revision: string, file?: string): typeof fetch {
    const { repo, signal, settings } = this;
    const what = `${settings.endpoint}/${repo}${file ? `/${file}` : ""}`;
    const answers = new SmallAnswers(what, settings.idleTimeout);
    const ask = async (url: URL): Promise<Response> => {
      const { status, header, body } = await this.open(url, { accept: "*/*" });
      if (status < 200 || status >= 300) {
        body.discard();
        throw this.refusalOf(status, header, revision, file);
      }
      const bytes = await answers.read(body, header("content-encoding")).catch(fail);
      const link = header("link");
      return new Response(bytes, { headers: link === undefined ? {} : { link } });
    };
    return async (input) => {
      answers.begin();
      const url = this.addressOf(input instanceof Request ? input.url : `${input}`);
      return retrying({ what, signal, delay: settings.retryDelay }, () => ask(url));
    };
  }

  /** Sends one request and follows redirections by hand, so that the token stays with the hub. */
  async open(url: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const passed: Dispatcher.ResponseData["headers"][] = [];
    for (let hop = 0; hop <= MOST_REDIRECTIONS; hop++) {
      const answer = await undici()
        .request(url, {
          dispatcher: this.connections.for(url),
          headers: { ...headers, ...this.headersFor(url) },
          headersTimeout: this.settings.idleTimeout,
          bodyTimeout: this.settings.idleTimeout,
          signal: this.signal,
        })
        .catch(fail);
      passed.unshift(answer.headers);
      const { location } = answer.headers;
      if (answer.statusCode < 300 || answer.statusCode >= 400 || typeof location !== "string") {
        const header = (name: string) =>
          passed.map((each) => each[name]).find((value) => value !== undefined);
        return {
          ...{ status: answer.statusCode, url, body: new StreamedBody(answer.body) },
          header: (name) => [header(name)].flat()[0],
        };
      }
      await answer.body.dump();
      url = this.addressOf(location, url);
    }
    throw new LuvitError(
      "network",
      `${this.repo}: more than ${MOST_REDIRECTIONS} redirections, at last to ${url.host}`,
    );
  }

  /** The same for an address that is known to hold content and no redirection: without a proxy in half the time. */
  async openContent(url: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
    if (this.connections.proxyFor(url) || this.unmeasured.has(url.origin)) return this.open(url, headers);
    const connection = this.content.to(url);
    const head = await connection.ask(url, { ...headers, ...this.headersFor(url) }).catch(fail);
    const { status, length } = head;
    const isMeasured = length !== undefined || status >= 400;
    const isRedirection = status >= 300 && status < 400;
    if (isMeasured && !isRedirection)
      return { status, url, header: (name) => head.headers.get(name), body: connection };
    connection.discard();
    this.unmeasured.add(url.origin);
    return this.open(url, headers);
  }

  /** What an answer that is no success means: a failure to be tried again, or an error that says it all. */
  refusalOf(
    status: number,
    headerOf: (name: string) => string | undefined,
    revision: string,
    file?: string,
  ): Error {
    if (status === 429 || status === 408 || status >= 500) {
      return new PassingFailure(`HTTP ${status}`, waitAskedFor(headerOf));
    }
    const { repo, settings } = this;
    const { endpoint, token } = settings;
    const subject: Subject = { repo, revision, endpoint, file, hasToken: token !== undefined };
    const code = headerOf("x-error-code");
    return explainRefusal({ status, code, message: headerOf("x-error-message") }, subject);
  }

  /** @throws Unreachable when HF_HUB_OFFLINE is set. */
  requireOnline(what: string): void {
    if (!this.settings.offline) return;
    throw new Unreachable(
      `${what} not in the cache (${this.settings.cache}), and HF_HUB_OFFLINE forbids to ask the hub`,
    );
  }

  close(): Promise<void> {
    this.content.close();
    return this.connections.close();
  }

  /**
   * Where to ask next.
   *
   * @throws LuvitError("network") for what is no http address.
   */
  private addressOf(address: string, from?: URL): URL {
    const url = URL.canParse(address, from?.href) ? new URL(address, from) : undefined;
    if (url && /^https?:$/.test(url.protocol)) return url;
    const asked = from ? `${from.host} redirects to` : "the hub leads to";
    throw new LuvitError("network", `${this.repo}: ${asked} ${brief(address)}, which is no http address`);
  }

  private headersFor(url: URL): Record<string, string> {
    const { endpoint, token } = this.settings;
    const own = url.origin === new URL(endpoint).origin;
    return { "user-agent": userAgent, ...(own && token ? { authorization: `Bearer ${token}` } : {}) };
  }
}

/** Milliseconds, from `Retry-After` (seconds or a date) or the hub's `RateLimit: "api";r=0;t=55`. */
function waitAskedFor(headerOf: (name: string) => string | undefined): number | undefined {
  const after = headerOf("retry-after");
  const reset = /\bt=(\d+)/.exec(headerOf("ratelimit") ?? "")?.[1];
  const seconds = after === undefined ? Number(reset) : Number(after);
  if (Number.isFinite(seconds)) return 1000 * seconds;
  const date = Date.parse(after ?? "");
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

const passing =
  /^(UND_ERR_(?!CONNECT_TIMEOUT|INVALID_ARG)|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETDOWN|ENETRESET|ECONNABORTED)/;

/** Turns what a connection throws into a passing failure, or an error that says which address cannot be reached. */
export function fail(thrown: unknown): never {
  const cause = thrown instanceof TypeError && thrown.cause ? thrown.cause : thrown;
  const { code, message, name } = cause as NodeJS.ErrnoException;
  if (name === "AbortError" || cause instanceof LuvitError || cause instanceof PassingFailure) throw cause;
  if (passing.test(code ?? "") || message === "terminated" || message === "aborted") {
    throw new PassingFailure(`the connection failed (${code ?? message})`, undefined, { cause });
  }
  const proxied = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].filter((each) => process.env[each]);
  const advice = proxied.length > 0 ? ` (${proxied.join(", ")} set)` : "; behind a proxy set HTTPS_PROXY";
  throw new Unreachable(`the hub cannot be reached: ${message || code}${advice}`, { cause });
}

/** Nobody answers; what is cached may do. */
export class Unreachable extends LuvitError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("network", message, options);
  }
}
