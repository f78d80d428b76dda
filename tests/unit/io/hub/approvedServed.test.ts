import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { showWorkWith } from "../../../../src/core/progress";
import { fetchHubCheckpoint, withHubCheckpoint } from "../../../../src/io/hub/checkpoint";
import { ContentConnections } from "../../../../src/io/hub/contentConnection";
import { RangeRequests } from "../../../../src/io/hub/rangeRequests";
import { HubRepository } from "../../../../src/io/hub/repository";
import { HubTransport } from "../../../../src/io/hub/transport";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { Calls } from "../../../support/calls";
import { commit, type Imitation, type Mischief } from "../../../support/hubImitation";
import { eighths, temporaryFolder } from "../support";
import { startHub } from "./support";

const settingsOf = (endpoint: string, cache: string, change: object = {}) => ({
  endpoint,
  cache,
  token: undefined,
  offline: false,
  retryDelay: 1,
  idleTimeout: 10_000,
  ...change,
});
const location = (file?: string, change: object = {}) => ({
  repo: "org/name",
  revision: undefined,
  file,
  isGuess: false,
  ...change,
});
const LENGTH = 3_000_000;
const content = Buffer.from(Uint8Array.from({ length: LENGTH }, (_, i) => (i * 31) ^ (i >> 8) ^ (i >> 16)));

/** A repository with two shards, a config, and a large file that is no checkpoint's. */
async function served(options: object = {}): Promise<{ hub: Imitation; folder: string }> {
  const folder = temporaryFolder();
  await writeSafetensors(
    join(folder, "one.safetensors"),
    new Map([
      ["a", eighths([3, 5])],
      ["wide", eighths([200, 300])],
    ]),
  );
  await writeSafetensors(join(folder, "two.safetensors"), new Map([["b", eighths([7])]]));
  writeFileSync(
    join(folder, "model.safetensors.index.json"),
    JSON.stringify({ weight_map: { a: "one.safetensors", wide: "one.safetensors", b: "two.safetensors" } }),
  );
  writeFileSync(join(folder, "config.json"), '{"a": "é"}\r\n');
  writeFileSync(join(folder, "large.bin"), content);
  return { hub: await startHub({ folder, ...options }), folder };
}

/** What was asked, in order: "hub" or "store", path, range, with or without a token. */
const asked = (hub: Imitation) =>
  hub.seen.map(
    ({ method, url, range, authorization }) =>
      `${method} ${url.origin === new URL(hub.endpoint).origin ? "hub" : "store"} ${decodeURIComponent(url.pathname).replace(/[0-9a-f]{64}/, "<hash>")}${range ? ` ${range}` : ""}${authorization ? ` ${authorization}` : ""}`,
  );

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex").slice(0, 12);

/** The cache's files, stretches by their length. */
function filesOf(cache: string): string[] {
  const found: string[] = [];
  const walk = (place: string, name: string) => {
    for (const entry of readdirSync(place).sort()) {
      const path = join(place, entry);
      const told = `${name}/${entry.replace(/[0-9a-f]{64}/, "<hash>").replace(/\.[0-9a-f]{8}$/, ".<random>")}`;
      if (statSync(path).isDirectory()) walk(path, told);
      else found.push(`${told} ${statSync(path).size}`);
    }
  };
  walk(cache, "");
  return found;
}

async function opened<Result>(
  endpoint: string,
  cache: string,
  use: (repository: HubRepository, transport: HubTransport) => Promise<Result>,
  change: object = {},
  revision = "main",
): Promise<Result> {
  const controller = new AbortController();
  const transport = new HubTransport(settingsOf(endpoint, cache, change), "org/name", controller.signal);
  try {
    return await use(await HubRepository.open(transport, revision), transport);
  } finally {
    await transport.close();
  }
}

test("what a repository gives, what it asks for, and what it keeps are approved", async () => {
  const { hub, folder } = await served();
  const cache = temporaryFolder();
  const calls = new Calls({ cache, hub: hub.endpoint });
  const once = async (
    name: string,
    use: (repository: HubRepository) => Promise<unknown>,
    change: object = {},
    revision = "main",
  ) => {
    hub.forget();
    await calls.once(name, () =>
      opened(
        hub.endpoint,
        cache,
        async (repository) => [await use(repository), `received ${repository.received}`, repository.notes],
        change,
        revision,
      ),
    );
    if (hub.seen.length > 0) calls.note("  asked", asked(hub));
  };
  await once("open", async (repository) => [
    repository.commit,
    repository.names,
    repository.has("config.json"),
    repository.has("x"),
    repository.nameOf(join(cache, "models--org--name", "snapshots", commit, "d", "x")),
  ]);
  await once("open again", async (repository) => repository.names.length);
  await once("a commit", async (repository) => repository.names.length, {}, commit);
  await once("another revision", async (repository) => repository.names.length, {}, "none");
  await once("a config", (repository) => repository.fetchWhole("config.json"));
  await once("a config again", (repository) => repository.fetchWhole("config.json"));
  await once("a place", async (repository) => {
    const { source, beside, exists, open } = await repository.place();
    const file = await open(join(source, "..", "two.safetensors"));
    const head = await file.read(0, 8);
    await file.close();
    return [
      source,
      beside,
      await exists(join(source, "..", "one.safetensors")),
      await exists(join(source, "..", "x")),
      head,
    ];
  });
  await once("a chosen place", async (repository) => (await repository.place("two.safetensors")).source);
  await once("a place that is not there", (repository) => repository.place("x/y.bin"));
  await once("a large file, in part", async (repository) => {
    const source = await repository.source("large.bin");
    const read = async (start: number, end: number) =>
      digest(await source.read(start, end)) === digest(content.subarray(start, end));
    const all = [
      await read(0, 10),
      await read(20, 65_536),
      await read(LENGTH - 5, LENGTH),
      await read(1_000_000, 1_000_010),
      await read(1_000_010, 1_004_096),
      await read(1_004_090, 1_100_000),
      await read(7, 7),
    ];
    const failed = await source.read(LENGTH - 1, LENGTH + 1).catch((error: Error) => error.message);
    await source.close();
    await repository.settle();
    return [source.name, source.size, all, failed];
  });
  calls.note("  files", filesOf(cache));
  await once("many stretches at once", async (repository) => {
    const source = await repository.source("large.bin");
    const ranges = [
      [0, 4],
      [500_000, 600_000],
      [2, 6],
      [550_000, 560_000],
      [9, 9],
    ].map(([start, end]) => ({ start, end }));
    const found = new Map<number, boolean>();
    await source.readMany!(ranges, (index, bytes) =>
      found.set(index, digest(bytes) === digest(content.subarray(ranges[index].start, ranges[index].end))),
    );
    return [...found].sort(([a], [b]) => a - b);
  });
  await once("the whole large file", async (repository) => {
    const path = await repository.fetchFile("large.bin");
    return [path, digest(readFileSync(path)) === digest(content)];
  });
  calls.note("  files", filesOf(cache));
  await once("the whole large file again", async (repository) => repository.fetchFile("large.bin"));
  await once("read whole, then settled", async (repository) => {
    const source = await repository.source("one.safetensors");
    await source.read(0, source.size);
    await repository.settle();
    return existsSync(join(cache, "models--org--name", "snapshots", commit, "one.safetensors"));
  });
  await once(
    "offline, what is there",
    async (repository) => {
      const source = await repository.source("one.safetensors");
      await source.close();
      return [repository.names.length, await repository.fetchWhole("config.json"), source.size];
    },
    { offline: true },
  );
  const listed = temporaryFolder();
  await opened(hub.endpoint, listed, async (repository) => {
    const source = await repository.source("large.bin");
    await source.read(0, 4);
    await source.close();
  });
  const offline = (name: string, use: (repository: HubRepository) => Promise<unknown>) =>
    calls.once(name, () =>
      opened(hub.endpoint, listed, use, { offline: true }).catch((error: Error) =>
        error.message.replace(listed, "<cache>"),
      ),
    );
  await offline("offline, a part that is kept", async (repository) =>
    (await repository.source("large.bin")).read(0, 4),
  );
  await offline("offline, a part that is not", async (repository) =>
    (await repository.source("large.bin")).read(100_000, 200_000),
  );
  await offline("offline, a config that is not", (repository) => repository.fetchWhole("config.json"));
  await offline("offline, a file whole that is not", (repository) => repository.fetchFile("two.safetensors"));
  await once("offline, another revision", async () => 0, { offline: true }, "v2");
  await calls.once("nobody there", () =>
    opened("http://127.0.0.1:9", cache, async (repository) => [
      repository.names.length,
      repository.notes.map((note) => note.replace(/cannot be reached: [^;]*;[^;]*;/, "cannot be reached …;")),
    ]),
  );
  await calls.once("nobody there, and nothing kept", () =>
    opened("http://127.0.0.1:9", temporaryFolder(), async () => 0).catch((error: Error) =>
      error.message.slice(0, 25),
    ),
  );
  writeFileSync(join(folder, "config.json"), '{"b": 1}');
  rmSync(join(cache, "models--org--name", "blobs"), { recursive: true });
  rmSync(join(cache, "models--org--name", "snapshots"), { recursive: true });
  await once("a config that is another by now", (repository) => repository.fetchWhole("config.json"));
  calls.lines.splice(
    0,
    calls.lines.length,
    ...calls.lines.map((line) =>
      line.replace(/127\.0\.0\.1:\d+/g, "<host>").replace(/ \(leaves \d+ open files\)/, ""),
    ),
  );
  calls.approve("io/hub/repository");
});

test("tokens, mirrors and checkpoints that are fetched whole are approved", async () => {
  const { hub } = await served({ token: "hf_secret" });
  const cache = temporaryFolder();
  const calls = new Calls({ cache, hub: hub.endpoint });
  const once = async (name: string, call: () => Promise<unknown>, of = hub) => {
    of.forget();
    await calls.once(name, call);
    calls.note("  asked", asked(of));
  };
  const options = (change: object = {}, endpoint = hub.endpoint) => ({
    hub: settingsOf(endpoint, cache, change),
  });
  await once("without a token", () => withHubCheckpoint(location(), options(), async () => 0));
  await once("without a token, a guess", () =>
    withHubCheckpoint(location(undefined, { isGuess: true }), options(), async () => 0),
  );
  await once("with a token", () =>
    withHubCheckpoint(location(), options({ token: "hf_secret" }), async (file) => {
      const tensors = await file.readTensors(["b", "a"]);
      return [file.names, [...tensors].map(([name, { data }]) => `${name} ${data.length}`), file.configPath];
    }),
  );
  await once("again", () =>
    withHubCheckpoint(location(), { ...options({ token: "hf_secret" }), revision: commit }, async (file) => [
      ...(await file.infos(["a", "b"])).values(),
    ]),
  );
  await once("a revision in the place before one in the options", () =>
    withHubCheckpoint(
      location(undefined, { revision: commit }),
      { ...options({ token: "hf_secret" }), revision: "none" },
      async (file) => file.names.length,
    ),
  );
  await once("a file", () =>
    withHubCheckpoint(
      location("two.safetensors"),
      options({ token: "hf_secret" }),
      async (file) => file.names,
    ),
  );
  await once("what fails inside", () =>
    withHubCheckpoint(location(), options({ token: "hf_secret" }), async () => {
      throw new Error("inside");
    }),
  );
  await once("aborted before", () =>
    withHubCheckpoint(
      location(),
      { ...options({ token: "hf_secret" }), signal: AbortSignal.abort() },
      async () => 0,
    ),
  );
  const controller = new AbortController();
  await calls.once("aborted within", () =>
    withHubCheckpoint(
      location(),
      { ...options({ token: "hf_secret", cache: temporaryFolder() }), signal: controller.signal },
      async (file) => {
        controller.abort();
        return file.readTensors(["wide"]);
      },
    ),
  );
  const mirrored = await served({ isMirror: true });
  const own = temporaryFolder();
  await once(
    "whole",
    () =>
      fetchHubCheckpoint(
        location(),
        { hub: settingsOf(mirrored.hub.endpoint, own) },
        ["config.json", "none.json"],
        async (file) => void calls.note("  accepts", [file.names, file.files.length]),
      ).then(({ path, report }) => [path.replace(own, "<own>"), report]),
    mirrored.hub,
  );
  calls.note("  files", filesOf(own));
  await once(
    "whole, refused",
    () =>
      fetchHubCheckpoint(
        location(),
        { hub: settingsOf(mirrored.hub.endpoint, temporaryFolder()) },
        [],
        async () => {
          throw new Error("too large");
        },
      ),
    mirrored.hub,
  );
  calls.lines.splice(
    0,
    calls.lines.length,
    ...calls.lines.map((line) => line.replace(/ \(leaves \d+ open files\)/, "")),
  );
  calls.approve("io/hub/checkpoint");
});

test("answers that go wrong are approved", async () => {
  const { hub } = await served();
  const shown: string[] = [];
  showWorkWith((work) => {
    shown.push(`${work.label.replace(/@.*/, "")} ${work.total} kept ${work.kept} ${work.unit}`);
    return { advance() {}, end: (state) => void shown.push(state) };
  });
  const calls = new Calls({ hub: hub.endpoint });
  const wrong = async (name: string, mischief: Mischief, [start, end] = [100_000, 400_000], times = 1) => {
    hub.behave();
    const cache = temporaryFolder();
    await calls.once(name, () =>
      opened(hub.endpoint, cache, async (repository) => {
        const source = await repository.source("large.bin");
        hub.forget();
        hub.misbehave({ times, ...mischief });
        const found = await source.read(start, end).then(
          (bytes) => digest(bytes) === digest(content.subarray(start, end)),
          (error: Error & { code?: string }) => `${error.code}: ${error.message}`,
        );
        const kept = filesOf(cache).filter((line) => line.includes("<random>"));
        return [
          found,
          repository.received,
          asked(hub).map((line) => line.replace(/.*(bytes=)/, "$1")),
          kept.map((line) => line.replace(/.*<random>/, "")),
        ];
      }),
    );
  };
  await wrong("nothing wrong", {}, undefined, 0);
  await wrong("broken off", { breakAfter: 131_072 });
  await wrong("broken off thrice", { breakAfter: 65_536 }, undefined, 3);
  await wrong("ended early", { shorten: 1000 });
  await wrong("ranges ignored", { ignoreRange: true });
  await wrong("ranges shifted", { shift: 5 });
  await wrong("another length", { claimedSize: LENGTH + 1 });
  await wrong("shorter than the range", { claimedSize: 50_000 });
  await wrong("without a length", { isChunked: true });
  for (const status of [500, 503, 429, 408, 401, 403, 404, 410, 400, 418])
    await wrong(`status ${status}`, { status, headers: { "retry-after": "0" } });
  await wrong("always 500", { status: 500 }, undefined, 100);
  await wrong("always 403", { status: 403 }, undefined, 100);
  calls.title("whole");
  hub.behave();
  shown.length = 0;
  const cache = temporaryFolder();
  const folder = join(cache, "models--org--name", "luvit");
  await calls.once("fetched, after a part", () =>
    opened(hub.endpoint, cache, async (repository) => {
      await (await repository.source("large.bin")).read(1_000_000, 2_000_000);
      hub.forget();
      const path = await repository.fetchFile("large.bin");
      return [
        digest(readFileSync(path)) === digest(content),
        repository.received,
        asked(hub).map((line) => line.replace(/.*(bytes=)/, "$1")),
        readdirSync(folder).length,
      ];
    }),
  );
  calls.note("shown", shown);
  const other = temporaryFolder();
  await calls.once("another content", async () => {
    const lying = await served({ etagOf: () => "c".repeat(64) });
    return opened(lying.hub.endpoint, other, (repository) => repository.fetchFile("large.bin"));
  });
  calls.note(
    "left",
    filesOf(other).map((line) => line.replace(/c{64}/, "<hash>")),
  );
  calls.lines.splice(
    0,
    calls.lines.length,
    ...calls.lines.map((line) =>
      line.replace(/127\.0\.0\.1:\d+/g, "<host>").replace(/ \(leaves \d+ open files\)/, ""),
    ),
  );
  showWorkWith(() => ({ advance() {}, end() {} }));
  calls.approve("io/hub/wrong");
});

const servers: ReturnType<typeof createServer>[] = [];
after(() => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
});

async function serve(answer: RequestListener): Promise<{ endpoint: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(
      `${request.method} ${request.url} ${request.headers.authorization ?? ""} ${request.headers["user-agent"]}`,
    );
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

test("how questions are asked is approved", async () => {
  const calls = new Calls();
  const one = async (
    name: string,
    answer: RequestListener,
    call: (transport: HubTransport, endpoint: string) => Promise<unknown>,
    change: object = {},
  ) => {
    const { endpoint, seen } = await serve(answer);
    const transport = new HubTransport(
      settingsOf(endpoint, "/c", { token: "t", ...change }),
      "org/name",
      new AbortController().signal,
    );
    await calls.once(name, () => call(transport, endpoint));
    calls.note("  asked", seen);
    await transport.close();
  };
  const get =
    (path = "/x") =>
    async (transport: HubTransport, endpoint: string) => {
      const response = await transport.fetchFor("main", "f.bin")(`${endpoint}${path}`);
      return [response.status, [...response.headers], await response.text()];
    };
  await one(
    "an answer",
    (_, response) => response.setHeader("link", "<n>").setHeader("x-other", "1").end("hé"),
    get(),
  );
  await one("a status of 204", (_, response) => response.writeHead(299).end("x"), get());
  for (const status of [300, 304, 400, 401, 403, 404, 416])
    await one(
      `status ${status}`,
      (_, response) => response.writeHead(status, { "x-error-message": "why" }).end(),
      get(),
    );
  let count = 0;
  for (const headers of [
    { "retry-after": "0" },
    { "retry-after": new Date(0).toUTCString() },
    { ratelimit: '"api";r=0;t=0' },
    { "retry-after": "soon" },
    {},
  ] as Record<string, string>[]) {
    count = 0;
    await one(
      `twice 429 ${Object.keys(headers)}`,
      (_, response) => (count++ < 2 ? response.writeHead(429, headers).end() : response.end("in the end")),
      get(),
    );
  }
  await one("always 500", (_, response) => response.writeHead(500).end(), get());
  const leads =
    (to: (endpoint: string) => string): RequestListener =>
    (request, response) => {
      if (request.url === "/x")
        response.writeHead(302, { location: to(`http://${request.headers.host}`) }).end("moved");
      else response.end("there");
    };
  await one(
    "led on",
    leads(() => "/y?z=1"),
    get(),
  );
  await one("led to itself", (_, response) => response.writeHead(301, { location: "/x" }).end(), get());
  const elsewhere = await serve((_, response) => response.end("elsewhere"));
  await one(
    "led elsewhere",
    leads(() => `${elsewhere.endpoint}/z`),
    get(),
  );
  calls.note("  elsewhere", elsewhere.seen);
  for (const to of ["ftp://x/y", "file:///etc", "http://[", "data:,x"])
    await one(
      `led to ${to}`,
      leads(() => to),
      get(),
    );
  await one(
    "no http address",
    (_, response) => response.end(),
    (transport) => transport.fetchFor("main")("ftp://x"),
  );
  await one(
    "offline",
    (_, response) => response.end(),
    async (transport) => transport.requireOnline("it is"),
    { offline: true },
  );
  await one(
    "online",
    (_, response) => response.end(),
    async (transport) => transport.requireOnline("it is"),
  );
  const content =
    (path = "/x") =>
    async (transport: HubTransport, endpoint: string) => {
      const all: unknown[] = [];
      for (let i = 0; i < 2; i++) {
        const { status, url, header, body } = await transport.openContent(new URL(`${endpoint}${path}`), {
          range: "bytes=0-3",
        });
        const got: string[] = [];
        if (status < 400) await body.receive((chunk) => got.push(String(chunk)) < 9);
        else body.discard();
        all.push([status, url.pathname, header("x-a"), got.join("")]);
      }
      return all;
    };
  await one(
    "content",
    (_, response) => response.writeHead(206, { "content-length": "4", "x-a": "1" }).end("abcd"),
    content(),
  );
  await one(
    "content without a length",
    (_, response) => {
      response.write("ab");
      response.end("cd");
    },
    content(),
  );
  await one("content refused", (_, response) => response.writeHead(403).end(), content());
  await one(
    "content led on",
    leads(() => "/y"),
    content(),
  );
  calls.title("ranges of one file");
  const ranges = async (name: string, answer: RequestListener, [start, end] = [2, 6], file: object = {}) => {
    await one(name, answer, async (transport) => {
      const got: string[] = [];
      const own = new RangeRequests(transport, {
        name: "it",
        path: "d/é f.bin",
        commit: "c0",
        size: 10,
        etag: "e",
        ...file,
      });
      for (let i = 0; i < 2; i++)
        await own.read({ start, end }, (position, chunk) => got.push(`${position}: ${Buffer.from(chunk)}`));
      return got;
    });
  };
  const part =
    (headers: Record<string, string>, body = "2345", status = 206): RequestListener =>
    (_, response) =>
      response.writeHead(status, { "content-length": String(body.length), ...headers }).end(body);
  await ranges("a range", part({ "content-range": "bytes 2-5/10", "x-linked-etag": '"e"' }));
  await ranges("a weak name", part({ "content-range": "bytes 2-5/10", "x-linked-etag": 'W/"e"' }));
  await ranges("another name", part({ "content-range": "bytes 2-5/10", "x-linked-etag": '"f"' }));
  await ranges("an unknown length", part({ "content-range": "bytes 2-5/*" }));
  await ranges("another length", part({ "content-range": "bytes 2-5/11" }));
  await ranges("no range said", part({}));
  await ranges("another start", part({ "content-range": "bytes 1-4/10" }));
  await ranges("too far", part({ "content-range": "bytes 2-6/10" }, "23456"));
  await ranges("in two answers", (request, response) => {
    const [, from] = /bytes=(\d)/.exec(request.headers.range!)!;
    response.writeHead(206, { "content-range": `bytes ${from}-${from}/10`, "content-length": "1" }).end(from);
  });
  await ranges("the whole file", part({}, "0123456789", 200));
  await ranges("past the end", part({ "content-range": "bytes */5" }, "", 416));
  await ranges("past the end, unsaid", part({}, "", 416));
  await ranges("too much to be borne", part({}, "0123", 200), [40_000_000, 40_000_004], { size: 80_000_000 });
  // What is not wanted counts, before and behind. These answers are four bytes, and end early where more is wanted.
  const [most, whole] = [2 ** 25, part({}, "0123", 200)];
  await ranges("so much before it", whole, [most, most + 4], { size: most + 4 });
  await ranges("a byte more before it", whole, [most + 1, most + 5], { size: most + 5 });
  await ranges("so much behind it", whole, [0, 4], { size: most + 4 });
  await ranges("a byte more behind it", whole, [0, 4], { size: most + 5 });
  await ranges("nearly all of a large file", whole, [2, 80_000_000], { size: 80_000_002 });
  calls.title("connections");
  const { endpoint } = await serve((_, response) =>
    response.writeHead(200, { "content-length": "2" }).end("ok"),
  );
  const url = new URL(endpoint);
  const kept = new ContentConnections(1000);
  await calls.once("kept while it is free", async () => {
    const first = kept.to(url);
    const other = kept.to(url);
    await first.ask(url, {});
    await first.receive(() => true);
    const again = kept.to(url);
    const same = again === first;
    again.discard();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const fresh = kept.to(url) === first;
    kept.close();
    return [other === first, same, fresh];
  });
  const reused = async (name: string, answer: RequestListener, most: number) => {
    const place = new URL((await serve(answer)).endpoint);
    const own = new ContentConnections(1000);
    await calls.once(name, async () => {
      const first = own.to(place);
      await first.ask(place, {});
      const got: string[] = [];
      await first.receive((chunk) => got.push(String(chunk)) < most);
      const again = own.to(place) === first;
      own.close();
      return [got.join(""), again];
    });
  };
  await reused(
    "read to its end",
    (_, response) => response.writeHead(200, { "content-length": "2" }).end("ok"),
    9,
  );
  await reused(
    "closed by the server",
    (_, response) => response.writeHead(200, { "content-length": "2", connection: "close" }).end("ok"),
    9,
  );
  await reused(
    "left before its end",
    (_, response) => {
      response.writeHead(200, { "content-length": "2" }).write("o");
    },
    1,
  );
  calls.title("what is to be waited for");
  const asking = new HubTransport(settingsOf("http://h", "/c"), "org/name", new AbortController().signal);
  for (const status of [429, 408, 500, 503, 404])
    for (const headers of [
      {},
      { "retry-after": "3" },
      { "retry-after": "0.5" },
      { ratelimit: '"api";r=0;t=55' },
      { "retry-after": "2", ratelimit: '"api";r=0;t=55' },
      { "retry-after": new Date(0).toUTCString() },
      { "retry-after": "soon" },
    ] as Record<string, string>[])
      await calls.does(`${status} ${JSON.stringify(headers)}`, () => {
        const failure = asking.refusalOf(status, (name) => headers[name], "main") as Error & {
          wait?: number;
        };
        return [failure.message, failure.wait];
      });
  await asking.close();
  calls.lines.splice(
    0,
    calls.lines.length,
    ...calls.lines.map((line) =>
      line.replace(/(http:\/\/)?127\.0\.0\.1:\d+/g, "<host>").replace(/ \(leaves \d+ open files\)/, ""),
    ),
  );
  calls.approve("io/hub/transport");
});
