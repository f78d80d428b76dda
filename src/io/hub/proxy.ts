import type { Dispatcher } from "undici";
import { LuvitError } from "../../core/errors";
import { undici } from "./undici";

type Environment = Readonly<Record<string, string | undefined>>;

/** Connections, kept open between requests; through a proxy where the environment names one for the address. */
export class Connections {
  private readonly open = new Map<string, Dispatcher>();

  constructor(private readonly env: Environment = process.env) {}

  /** @throws LuvitError("bad-argument") for a proxy that is no address, or is asked in another way than by HTTP. */
  for(url: URL): Dispatcher {
    const proxy = this.proxyFor(url) ?? "";
    const known = this.open.get(proxy);
    if (known) return known;
    if (proxy !== "") expectHttp(proxy);
    const { Agent, ProxyAgent } = undici();
    const fresh = proxy === "" ? new Agent() : new ProxyAgent(proxy);
    this.open.set(proxy, fresh);
    return fresh;
  }

  proxyFor(url: URL): string | undefined {
    return proxyFor(url, this.env);
  }

  async close(): Promise<void> {
    await Promise.all([...this.open.values()].map((dispatcher) => dispatcher.destroy()));
    this.open.clear();
  }
}

/**
 * The proxy for an address, from HTTPS_PROXY, HTTP_PROXY and ALL_PROXY unless NO_PROXY names its host: `*`, `host`,
 * `.domain`, `*.domain`, each with or without `:port`. Lower case comes before upper case, as in curl.
 */
export function proxyFor(url: URL, env: Environment): string | undefined {
  const setting = (name: string) => env[name.toLowerCase()] || env[name];
  const proxy = setting(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") || setting("ALL_PROXY");
  const exceptions = (setting("NO_PROXY") ?? "").split(/[\s,]+/).filter(Boolean);
  if (!proxy || exceptions.some((pattern) => matches(pattern, url))) return undefined;
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function expectHttp(proxy: string): void {
  const advice = "set HTTPS_PROXY to one of http:// or https://";
  if (!URL.canParse(proxy))
    throw new LuvitError("bad-argument", `the environment names a proxy that is no address; ${advice}`);
  const [kind] = proxy.split(":");
  if (/^https?$/i.test(kind)) return;
  throw new LuvitError("bad-argument", `the environment names a proxy of ${kind}://; ${advice}`);
}

function matches(pattern: string, url: URL): boolean {
  if (pattern === "*") return true;
  const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(pattern.toLowerCase())!;
  const ownPort = url.port || (url.protocol === "https:" ? "443" : "80");
  if (port !== undefined && port !== ownPort) return false;
  const domain = name.replace(/^\*?\./, "");
  const host = url.hostname.toLowerCase();
  return host === domain || host.endsWith(`.${domain}`);
}
