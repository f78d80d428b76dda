import { LuvitError } from "../../core/errors";

/** Status line and headers of an HTTP/1 answer. Reference: RFC 9112. */
export interface AnswerHead {
  readonly status: number;
  /** By name in lower case; repeated ones joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body as Content-Length says; undefined where something else marks its end. */
  readonly length: number | undefined;
  /** Whether another request may follow on the same connection. */
  readonly keepsOpen: boolean;
}

/** @throws LuvitError("network") for what is no HTTP. */
export function parseAnswerHead(text: string): AnswerHead {
  const [first, ...lines] = text.split("\r\n");
  const [, minor, status] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(first) ?? fail(first);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):(.*)$/.exec(line) ?? fail(line);
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value.trim() : `${before}, ${value.trim()}`);
  }
  const connection = headers.get("connection")?.toLowerCase();
  return {
    status: Number(status),
    headers,
    length: headers.has("transfer-encoding") ? undefined : lengthOf(headers.get("content-length")),
    keepsOpen: minor === "1" ? connection !== "close" : connection === "keep-alive",
  };
}

function lengthOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return /^\d{1,15}$/.test(value) ? Number(value) : fail(`content-length: ${value}`);
}

function fail(line: string): never {
  throw new LuvitError("network", `expected an HTTP answer, got ${JSON.stringify(line.slice(0, 80))}`);
}
