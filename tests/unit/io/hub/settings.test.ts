import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hubLocation } from "../../../../src/io/hub/location";
import { Connections, proxyFor } from "../../../../src/io/hub/proxy";
import { hubSettings } from "../../../../src/io/hub/settings";
import { partsOf } from "../../../../src/io/hub/stretches";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { assertRejects, assertSameTensors, temporaryFolder } from "../support";
import { asking, blockOf, startHub, writeCheckpoint } from "./support";

test("cache and endpoint come from the variables huggingface_hub reads, the nearest first", async () => {
  const cacheOf = async (env: Record<string, string>) => (await hubSettings(env)).cache;
  assert.equal(await cacheOf({}), join(homedir(), ".cache", "huggingface", "hub"));
  assert.equal(await cacheOf({ XDG_CACHE_HOME: "/x" }), "/x/huggingface/hub");
  assert.equal(await cacheOf({ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }), "/h/hub");
  assert.equal(await cacheOf({ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }), "/old");
  assert.equal(
    await cacheOf({ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "~/new" }),
    join(homedir(), "new"),
  );
  assert.equal((await hubSettings({})).endpoint, "https://huggingface.co");
  assert.equal(
    (await hubSettings({ HF_ENDPOINT: "https://mirror.example/" })).endpoint,
    "https://mirror.example",
  );
  await assertRejects(() => hubSettings({ HF_ENDPOINT: "mirror" }), "bad-argument", /HF_ENDPOINT.*"mirror"/);
  assert.equal((await hubSettings({ HF_HUB_OFFLINE: "1" })).offline, true);
  assert.equal((await hubSettings({ HF_HUB_OFFLINE: "0" })).offline, false);
  for (const on of ["1", "ON", "Yes", "true", " TRUE "])
    for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
      assert.equal((await hubSettings({ [name]: on })).offline, true, `${name}=${on}`);
  for (const off of ["", "no", "2", "11"])
    assert.equal((await hubSettings({ TRANSFORMERS_OFFLINE: off })).offline, false, off);
  const slashes = { HF_ENDPOINT: "http://mirror.example/hub//" };
  assert.equal((await hubSettings(slashes)).endpoint, "http://mirror.example/hub");
  for (const seconds of ["0", "-1", "soon", ""])
    assert.equal((await hubSettings({ HF_HUB_DOWNLOAD_TIMEOUT: seconds })).idleTimeout, 10_000, seconds);
  const { retryDelay, idleTimeout } = await hubSettings({});
  assert.deepEqual([retryDelay, idleTimeout], [500, 10_000]);
  const given = {
    endpoint: "https://own.example",
    token: "own",
    cache: "/own",
    offline: false,
    idleTimeout: 7,
    retryDelay: 8,
  };
  const variables = {
    ...{ HF_ENDPOINT: "https://e.example", HF_TOKEN: "t", HF_HUB_CACHE: "/c" },
    ...{ HF_HUB_OFFLINE: "1", HF_HUB_DOWNLOAD_TIMEOUT: "3" },
  };
  assert.deepEqual(await hubSettings(variables, given), given, "what is given goes before the variables");
  assert.equal((await hubSettings({ HF_HUB_DOWNLOAD_TIMEOUT: "3" })).idleTimeout, 3000);
});

test("the token comes from the variables, else from the file that logging in writes", async () => {
  const home = temporaryFolder();
  const other = join(temporaryFolder(), "elsewhere");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "token"), "hf_file\n");
  writeFileSync(other, "hf_other");
  const tokenOf = async (env: Record<string, string>) => (await hubSettings({ HF_HOME: home, ...env })).token;
  assert.equal(await tokenOf({}), "hf_file");
  assert.equal(await tokenOf({ HF_TOKEN_PATH: other }), "hf_other");
  assert.equal(await tokenOf({ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }), undefined);
  assert.equal(await tokenOf({ HUGGING_FACE_HUB_TOKEN: "hf_old" }), "hf_old");
  assert.equal(await tokenOf({ HUGGING_FACE_HUB_TOKEN: "hf_old", HF_TOKEN: " hf_new " }), "hf_new");
});

test("the proxy is the environment's for the scheme, unless NO_PROXY names the host", () => {
  const env = {
    HTTPS_PROXY: "http://secure:1",
    HTTP_PROXY: "plain:2",
    NO_PROXY: "localhost, .inner.org,other.com:8443",
  };
  const via = (url: string, more = {}) => proxyFor(new URL(url), { ...env, ...more });
  assert.equal(via("https://huggingface.co/x"), "http://secure:1");
  assert.equal(via("http://huggingface.co/x"), "http://plain:2");
  assert.equal(via("https://huggingface.co/x", { https_proxy: "http://lower:3" }), "http://lower:3");
  assert.equal(via("https://localhost/x"), undefined);
  assert.equal(via("https://a.inner.org/x"), undefined);
  assert.equal(via("https://inner.org/x"), undefined);
  assert.equal(via("https://notinner.org/x"), "http://secure:1");
  assert.equal(via("https://other.com/x"), "http://secure:1");
  assert.equal(via("https://other.com:8443/x"), undefined);
  assert.equal(via("https://huggingface.co/x", { NO_PROXY: "*" }), undefined);
  assert.equal(proxyFor(new URL("https://h/x"), { ALL_PROXY: "http://all:4" }), "http://all:4");
});

test("everything passes through the proxy of the environment", async () => {
  const folder = temporaryFolder();
  await writeCheckpoint(folder);
  const hub = await startHub({ folder });
  const tunnels: string[] = [];
  const proxy = createServer().on("connect", (request, client) => {
    tunnels.push(request.url!);
    const [host, port] = request.url!.split(":");
    const upstream = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) socket.on("error", () => {});
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  process.env.HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    const read = await readLlamaBlocks("org/name", { block: 2, ...asking(hub) });
    assertSameTensors(read.tensors, blockOf(1));
  } finally {
    delete process.env.HTTP_PROXY;
    proxy.close();
    proxy.closeAllConnections();
  }
  const origins = new Set(hub.seen.map(({ url }) => url.host));
  assert.deepEqual(new Set(tunnels), origins);
});

test("a name with one slash is a repository where there is no such folder", async () => {
  const here = process.cwd();
  process.chdir(temporaryFolder());
  try {
    mkdirSync("org/name", { recursive: true });
    assert.equal(await hubLocation("org/name"), undefined);
    const other = await hubLocation("org/other");
    assert.deepEqual(other, { repo: "org/other", revision: undefined, file: undefined, isGuess: true });
  } finally {
    process.chdir(here);
  }
  for (const path of [
    "/no/where",
    "./org/name",
    "name",
    "a/b/c",
    "org/model.safetensors",
    "org/m.gguf",
    "org/m.pth",
    "org/m.pt",
    "org/m.bin",
    "org/m.json",
    "../x/y",
  ])
    assert.equal(await hubLocation(path), undefined, path);
  const full = await hubLocation("hf://org/na-me.2@v1.0/sub/model.gguf");
  assert.deepEqual(full, { repo: "org/na-me.2", revision: "v1.0", file: "sub/model.gguf", isGuess: false });
});

test("a range is divided among kept stretches, the longest first, and gaps", () => {
  const kept = [
    { start: 10, end: 12, path: "cut off" },
    { start: 10, end: 20, path: "a" },
    { start: 15, end: 40, path: "b" },
    { start: 18, end: 21, path: "inside b" },
    { start: 50, end: 60, path: "c" },
  ];
  const parts = partsOf({ start: 5, end: 55 }, kept).map(({ start, end, kept: by }) => [
    start,
    end,
    by?.path,
  ]);
  assert.deepEqual(parts, [
    [5, 10, undefined],
    [10, 20, "a"],
    [20, 40, "b"],
    [40, 50, undefined],
    [50, 55, "c"],
  ]);
  assert.deepEqual(partsOf({ start: 3, end: 3 }, kept), []);
});

test("NO_PROXY names hosts and domains, in any case, with a star, and with the port that an address has by itself", () => {
  const via = (url: string, no: object) => proxyFor(new URL(url), { ALL_PROXY: "http://all:4", ...no });
  const named: [no: string, url: string, isDirect: boolean][] = [
    ["Inner.ORG", "https://A.inner.org/x", true],
    ["*.inner.org", "https://a.inner.org/x", true],
    ["*.inner.org", "https://inner.org/x", true],
    ["h.org:443", "https://h.org/x", true],
    ["h.org:443", "http://h.org/x", false],
    ["h.org:80", "http://h.org/x", true],
    ["h.org:80", "https://h.org/x", false],
    ["h.org:8080", "http://h.org:8080/x", true],
    ["h.org", "http://h.org:8080/x", true],
    ["a.org b.org,\tc.org", "https://b.org/x", true],
    ["a.org b.org,\tc.org", "https://c.org/x", true],
    [",,", "https://c.org/x", false],
  ];
  for (const [no, url, isDirect] of named)
    assert.equal(via(url, { NO_PROXY: no }) === undefined, isDirect, `${url} with ${no}`);
  const both = { no_proxy: "a.org", NO_PROXY: "b.org" };
  assert.equal(via("https://a.org/x", both), undefined, "lower case comes first");
  assert.equal(via("https://b.org/x", both), "http://all:4");
  assert.equal(via("https://h.org/x", { https_proxy: "", HTTPS_PROXY: "socks5://s:5" }), "socks5://s:5");
  assert.equal(via("http://h.org/x", { HTTPS_PROXY: "http://s:5" }), "http://all:4", "another scheme's");
  assert.equal(via("https://h.org/x", { HTTPS_PROXY: "" }), "http://all:4", "an empty one is none");
  assert.equal(proxyFor(new URL("https://h.org/x"), { HTTP_PROXY: "http://p:2" }), undefined);
});

test("a proxy that is not asked by HTTP is refused by its kind, without what else its address says", async () => {
  for (const kind of ["socks5", "socks4a", "ftp"]) {
    const connections = new Connections({ HTTPS_PROXY: `${kind}://me:secret@s:5` });
    const connect = async () => connections.for(new URL("https://h.org/x"));
    await assertRejects(connect, "bad-argument", new RegExp(`a proxy of ${kind}://; set HTTPS_PROXY`));
    await assert.rejects(connect, ({ message }: Error) => !message.includes("secret"));
    await connections.close();
  }
  const unfit = new Connections({ HTTPS_PROXY: "http://a b:secret" });
  const connect = async () => unfit.for(new URL("https://h.org/x"));
  await assertRejects(connect, "bad-argument", /a proxy that is no address; set HTTPS_PROXY/);
  await assert.rejects(connect, ({ message }: Error) => !message.includes("secret"));
});
