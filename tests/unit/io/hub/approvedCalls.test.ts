import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { LuvitError } from "../../../../src/core/errors";
import { parseAnswerHead } from "../../../../src/io/hub/answerHead";
import { StreamedBody } from "../../../../src/io/hub/body";
import { type ListedFile, RepositoryCache } from "../../../../src/io/hub/cache";
import { hubOptions } from "../../../../src/io/hub/checkpoint";
import { explain } from "../../../../src/io/hub/listing";
import { hubLocation } from "../../../../src/io/hub/location";
import { Connections, proxyFor } from "../../../../src/io/hub/proxy";
import { explainRefusal } from "../../../../src/io/hub/refusal";
import { PassingFailure, retrying } from "../../../../src/io/hub/retry";
import { Scatter } from "../../../../src/io/hub/scatter";
import { hubSettings } from "../../../../src/io/hub/settings";
import { LARGEST_ANSWERS, MOST_ANSWERS, SmallAnswers } from "../../../../src/io/hub/smallAnswers";
import { partsOf, StretchFolder } from "../../../../src/io/hub/stretches";
import { fail, type HubTransport, Unreachable } from "../../../../src/io/hub/transport";
import { Calls } from "../../../support/calls";
import { commit } from "../../../support/hubImitation";
import { temporaryFolder } from "../support";

test("heads of answers, places, proxies and refusals are approved", async () => {
  const calls = new Calls();
  for (const lines of [
    ["HTTP/1.1 200 OK"],
    ["HTTP/1.0 404 Not Found", "Content-Length: 5"],
    ["HTTP/1.1 206", "content-length:  0 ", "Connection: CLOSE"],
    ["HTTP/1.0 200 OK", "Connection: Keep-Alive"],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 7"],
    ["HTTP/1.1 200 OK", "X-A: 1", "x-a:2 : 3"],
    ["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"],
    ["HTTP/1.1 200 OK", "Content-Length: -1"],
    ["HTTP/1.1 200 OK", "Content-Length: 999999999999999"],
    ["HTTP/1.1 200 OK", "Content-Length: 1000000000000000"],
    ["HTTP/1.1 200 OK", " folded"],
    ["HTTP/1.1 200 OK", "name : x"],
    ["HTTP/1.1 200 OK", "noColon"],
    ["HTTP/1.1 200 OK", ""],
    ["HTTP/2 200 OK"],
    ["HTTP/1.1 600 No"],
    ["HTTP/1.1 99 No"],
    ["HTTP/1.1 2000"],
    [""],
    [`<html>${"x".repeat(99)}`],
  ])
    await calls.of(parseAnswerHead, lines.join("\r\n"));
  calls.title("places");
  const folder = temporaryFolder();
  mkdirSync(join(folder, "org", "name"), { recursive: true });
  for (const path of [
    "org/name",
    "org/name/x",
    "org",
    "org/name.safetensors",
    "org/name.json",
    "org/name.gguf",
    "org/na.me-2_x",
    "-org/name",
    "org/-name",
    "./name",
    "hf://org/name",
    "hf://org/name@main",
    "hf://org/name@v1.0/a/b.bin",
    "hf://org/name/f",
    "hf://org/name@/f",
    "hf://org",
    "hf://",
    "hf://org/name/",
    "hf://örg/name",
    "HF://org/name",
    "a/b/c",
    "",
    "org\\name",
  ])
    await calls.of(hubLocation, path);
  const before = process.cwd();
  process.chdir(folder);
  try {
    await calls.does("a folder of that name", () => hubLocation("org/name"));
    await calls.does("an explicit one beside it", () => hubLocation("hf://org/name"));
  } finally {
    process.chdir(before);
  }
  calls.title("proxies");
  const proxy = (address: string, env: Record<string, string>) =>
    calls.does(`${address} ${JSON.stringify(env)}`, () => proxyFor(new URL(address), env));
  for (const address of ["https://a.b.co/x", "http://a.b.co/x", "http://a.b.co:8080/x"]) {
    await proxy(address, {});
    await proxy(address, { HTTPS_PROXY: "http://s:1", HTTP_PROXY: "p:2", ALL_PROXY: "socks5://all" });
    await proxy(address, { ALL_PROXY: "socks5://all" });
    await proxy(address, { all_proxy: "low", ALL_PROXY: "up" });
    await proxy(address, { https_proxy: "low", HTTPS_PROXY: "up", http_proxy: "", HTTP_PROXY: "up" });
    for (const NO_PROXY of [
      "*",
      "a.b.co",
      "b.co",
      ".b.co",
      "*.b.co",
      "co",
      "x.co",
      "ab.co",
      "A.B.CO",
      "a.b.co:443",
      "a.b.co:80",
      "a.b.co:8080",
      "x, b.co",
      "x b.co",
      " ,",
      "a.b.co.",
    ])
      await proxy(address, { ALL_PROXY: "p", NO_PROXY });
  }
  for (const NO_PROXY of ["b.co", ".b.co", "*.b.co", "ab.co"])
    await proxy("https://ab.co", { ALL_PROXY: "p", NO_PROXY });
  const connections = (env: Record<string, string>) => new Connections(env);
  await calls.does("socks", () => connections({ ALL_PROXY: "socks5://x:1" }).for(new URL("http://a")));
  await calls.does("one for all", async () => {
    const own = connections({ HTTPS_PROXY: "http://127.0.0.1:9" });
    const found = [new URL("http://a"), new URL("http://b"), new URL("https://a"), new URL("https://b")].map(
      (url) => own.for(url),
    );
    await own.close();
    return [
      found[0] === found[1],
      found[0] === found[2],
      found[2] === found[3],
      found[0] === own.for(new URL("http://a")),
      own.proxyFor(new URL("https://x")),
    ];
  });
  calls.title("refusals");
  const subject = { repo: "org/name", revision: "main", endpoint: "https://hub", hasToken: false };
  for (const code of [
    undefined,
    "GatedRepo",
    "DisabledRepo",
    "RevisionNotFound",
    "EntryNotFound",
    "RepoNotFound",
    "Other",
  ])
    for (const status of [401, 403, 404, 400])
      for (const [file, message, hasToken] of [
        [undefined, undefined, false],
        ["f.bin", "The words", true],
      ] as const) {
        await calls.does(`${code} ${status} ${file ?? ""}`, () => {
          const { code: own, message: said } = explainRefusal(
            { status, code, message },
            { ...subject, file, hasToken },
          );
          return `${own}: ${said}`;
        });
      }
  const aborted = AbortSignal.abort(new Error("stop"));
  const transport = {
    settings: { endpoint: "https://hub" },
    repo: "org/name",
    signal: new AbortController().signal,
  } as HubTransport;
  for (const [name, error] of Object.entries({
    own: new LuvitError("no-access", "x"),
    other: new TypeError("bad JSON"),
  })) {
    await calls.does(`explain ${name}`, () => explain(transport, error));
    await calls.does(`explain ${name}, aborted`, () =>
      explain({ ...transport, signal: aborted } as HubTransport, error),
    );
  }
  for (const code of [
    "UND_ERR_SOCKET",
    "UND_ERR_BODY_TIMEOUT",
    "UND_ERR_CONNECT_TIMEOUT",
    "UND_ERR_INVALID_ARG",
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "ENETDOWN",
    "ENETRESET",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ENOTFOUND",
    undefined,
  ])
    await calls.does(`fails with ${code}`, () => fail(Object.assign(new Error("words"), { code })));
  for (const message of ["terminated", "aborted", "other"])
    await calls.does(`fails: ${message}`, () => fail(new Error(message)));
  await calls.does("fails by its cause", () =>
    fail(new TypeError("fetch failed", { cause: Object.assign(new Error("deep"), { code: "EPIPE" }) })),
  );
  for (const error of [
    new DOMException("stop", "AbortError"),
    new LuvitError("bad-file", "x"),
    new PassingFailure("p", 5),
    new Unreachable("u"),
  ])
    await calls.does(`fails with ${error.name} ${error.message}`, () => fail(error));
  calls.note("options", Object.keys(hubOptions.optional));
  calls.lines.splice(
    0,
    calls.lines.length,
    ...calls.lines.map((line) =>
      line.replace(/ \([A-Z_, ]*PROXY set\)|; behind a proxy set HTTPS_PROXY/, "<proxy>"),
    ),
  );
  calls.approve("io/hub/words");
});

test("settings from the environment and the caller are approved", async () => {
  const home = temporaryFolder();
  const calls = new Calls({ home, user: homedir() });
  writeFileSync(join(home, "token"), " hf_written \r\nsecond\n");
  writeFileSync(join(home, "empty"), "\n");
  const of = (env: Record<string, string>, given: object = {}) =>
    calls.does(
      `${Object.entries(env)
        .map(([name, value]) => `${name}=${value.replace(home, "<home>")}`)
        .join(" ")} ${JSON.stringify(given)}`,
      () => hubSettings({ HF_TOKEN_PATH: join(home, "none"), ...env }, given),
    );
  await of({});
  await of({ XDG_CACHE_HOME: "/x" });
  for (const name of [
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_HOME",
  ])
    for (const value of ["https://m.example/", " http://x:1//  ", "~/own", "~own", ""])
      if (name !== "HF_ENDPOINT" || !value.startsWith("~")) await of({ [name]: value });
  for (const value of ["ftp://x", "x", "http//x", "https://"]) await of({ HF_ENDPOINT: value });
  await of({
    HF_TOKEN: "a",
    HUGGING_FACE_HUB_TOKEN: "b",
    HF_HUB_CACHE: "/c",
    HUGGINGFACE_HUB_CACHE: "/d",
    HF_HOME: "/e",
    XDG_CACHE_HOME: "/f",
  });
  await of({ HF_HOME: "/e", XDG_CACHE_HOME: "/f" });
  for (const value of ["1", "on", "YES", "true", "0", "no", "2", " 1 "]) {
    await of({ HF_HUB_OFFLINE: value });
    await of({ TRANSFORMERS_OFFLINE: value });
  }
  await of({ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" });
  for (const value of ["3", "0.5", "0", "-1", "x", ""]) await of({ HF_HUB_DOWNLOAD_TIMEOUT: value });
  await of({ HF_TOKEN_PATH: join(home, "token") });
  await of({ HF_TOKEN_PATH: join(home, "token"), HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" });
  await of({ HF_TOKEN_PATH: join(home, "token"), HF_TOKEN: "own" });
  await of({ HF_TOKEN_PATH: join(home, "empty") });
  await of({ HF_TOKEN_PATH: home });
  await calls.does("token in HF_HOME", () => hubSettings({ HF_HOME: home }));
  for (const given of [
    { endpoint: "http://own/" },
    { endpoint: "own" },
    { token: "t" },
    { token: "" },
    { cache: "/c" },
    { offline: true },
    { offline: false },
    { idleTimeout: 7 },
    { retryDelay: 0 },
  ])
    await of(
      {
        HF_ENDPOINT: "https://e",
        HF_TOKEN: "h",
        HF_HUB_CACHE: "/h",
        HF_HUB_OFFLINE: "1",
        HF_HUB_DOWNLOAD_TIMEOUT: "3",
      },
      given,
    );
  calls.approve("io/hub/settings");
});

const bytes = (start: number, end: number) =>
  Uint8Array.from({ length: end - start }, (_, i) => (start + i) & 255);

test("stretches, and where their bytes go, are approved", async () => {
  const calls = new Calls();
  const kept = [
    [5, 10],
    [8, 20],
    [8, 12],
    [30, 40],
  ].map(([start, end], i) => ({ start, end, path: `k${i}` }));
  for (const [start, end] of [
    [0, 50],
    [0, 5],
    [5, 8],
    [9, 11],
    [12, 30],
    [20, 30],
    [35, 40],
    [40, 50],
    [7, 7],
    [0, 0],
  ])
    await calls.does(`parts of ${start} to ${end}`, () =>
      partsOf({ start, end }, kept)
        .map((part) => `${part.start}-${part.end} ${part.kept?.path ?? "missing"}`)
        .join(", "),
    );
  const scatter = (
    name: string,
    ranges: [number, number][],
    steps: [number, number][],
    how: "put" | "fill" = "put",
  ) =>
    calls.does(name, () => {
      const out: string[] = [];
      const own = new Scatter(
        ranges.map(([start, end]) => ({ start, end })),
        (index, found) => void out.push(`${index}: ${[...found]}`),
      );
      const extents = own.extents().map(({ start, end }) => `${start}-${end}`);
      for (const [start, end] of steps) {
        if (how === "put") own.put(start, bytes(start, end));
        else {
          for (const view of own.views({ start, end })) view.fill(7);
          own.filled({ start, end });
        }
        out.push(`after ${start}-${end}`);
      }
      return [extents, out];
    });
  await scatter(
    "one",
    [[3, 7]],
    [
      [3, 5],
      [5, 7],
    ],
  );
  await scatter(
    "backwards",
    [[3, 7]],
    [
      [6, 7],
      [3, 6],
    ],
  );
  await scatter(
    "three, out of order",
    [
      [10, 12],
      [0, 3],
      [3, 5],
    ],
    [
      [0, 2],
      [2, 5],
      [10, 12],
    ],
  );
  await scatter(
    "over both",
    [
      [0, 3],
      [3, 5],
      [5, 9],
    ],
    [
      [1, 6],
      [0, 1],
      [6, 9],
    ],
  );
  await scatter(
    "overlapping",
    [
      [0, 6],
      [4, 8],
      [5, 6],
      [20, 21],
    ],
    [
      [0, 8],
      [20, 21],
    ],
  );
  await scatter(
    "the same twice",
    [
      [2, 4],
      [2, 4],
    ],
    [[2, 4]],
  );
  await scatter(
    "empty ones",
    [
      [5, 5],
      [0, 2],
      [2, 2],
      [0, 0],
    ],
    [[0, 2]],
  );
  await scatter("none", [], []);
  await scatter(
    "filled",
    [
      [0, 3],
      [4, 6],
    ],
    [
      [0, 3],
      [4, 6],
    ],
    "fill",
  );
  await scatter(
    "more than is wanted",
    [[2, 4]],
    [
      [2, 4],
      [2, 4],
    ],
  );
  const folder = temporaryFolder();
  const own = new StretchFolder(join(folder, "s"));
  const state = async () =>
    (await own.kept()).map(({ start, end, path }) => `${start}-${end} ${readFileSync(path).length}`).sort();
  calls.note("none yet", await state());
  const writer = await own.begin(100);
  const memory = bytes(0, 9_000_000);
  const views = ({ start, end }: { start: number; end: number }) => [
    memory.subarray(start - 100, start - 99),
    memory.subarray(start - 99, end - 100),
  ];
  writer.offer(103, views);
  await new Promise((resolve) => setTimeout(resolve, 10));
  calls.note("three bytes offered", await state());
  writer.offer(100 + 4_194_303, views);
  await new Promise((resolve) => setTimeout(resolve, 10));
  calls.note("one less than a batch", await state());
  writer.offer(100 + 4_194_304, views);
  for (let turn = 0; turn < 200 && (await state())[0] === undefined; turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  writer.offer(100 + 4_194_400, views);
  await writer.finish(views);
  calls.note("finished", await state());
  calls.note(
    "bytes",
    createHash("sha256")
      .update(readFileSync((await own.kept())[0].path))
      .digest("hex") === createHash("sha256").update(memory.subarray(0, 4_194_400)).digest("hex"),
  );
  const nothing = await own.begin(7);
  await nothing.finish(() => []);
  writeFileSync(join(folder, "s", "5.0123abcd"), "xyz");
  for (const name of [
    "5.0123abcg",
    "5.0123abcd.x",
    "x.0123abcd",
    "5",
    ".0123abcd",
    "1234567890123456.0123abcd",
  ])
    writeFileSync(join(folder, "s", name), "no");
  writeFileSync(join(folder, "s", "9.00000000"), "");
  calls.note("others beside", await state());
  await own.clear();
  await own.clear();
  calls.note("cleared", readdirSync(folder));
  calls.approve("io/hub/stretches");
});

test("attempts, small answers and bodies are approved", async () => {
  const calls = new Calls();
  const trying = (
    name: string,
    results: (unknown | Error)[],
    { progress, abortAt }: { progress?: number[]; abortAt?: number } = {},
  ) =>
    calls.does(name, async () => {
      const controller = new AbortController();
      let tried = 0;
      const outcome = await retrying(
        {
          what: "it",
          signal: controller.signal,
          delay: 0,
          progress: progress && (() => progress[Math.min(tried, progress.length - 1)]),
        },
        async () => {
          const result = results[Math.min(tried, results.length - 1)];
          tried++;
          if (tried === abortAt) controller.abort(new Error("stopped"));
          if (result instanceof Error) throw result;
          return result;
        },
      ).catch(
        (error: Error) =>
          `${error.name}: ${error.message}, cause ${(error.cause as Error | undefined)?.message}`,
      );
      return [outcome, `${tried} attempts`];
    });
  const passing = new PassingFailure("p", 0);
  await trying("at once", [3]);
  await trying("after two", [passing, passing, 3]);
  await trying("after six", [...new Array(6).fill(passing), 3]);
  await trying("never", [passing]);
  await trying("another failure", [passing, new LuvitError("no-access", "no")]);
  await trying("with progress", [...new Array(9).fill(passing), 3], { progress: [0, 0, 0, 0, 5] });
  await trying("with progress that ends", [passing], { progress: [0, 1, 2, 2] });
  await trying("aborted while it fails", [passing], { abortAt: 2 });
  await trying("aborted while it succeeds", [3], { abortAt: 1 });
  await calls.does("aborted before", () =>
    retrying({ what: "it", signal: AbortSignal.abort(new Error("stopped")), delay: 0 }, async () => 3),
  );
  await calls.does("waits as it is asked, and grows by itself", async () => {
    const waits: number[] = [];
    const times = [performance.now()];
    await retrying({ what: "it", signal: new AbortController().signal, delay: 16 }, async () => {
      times.push(performance.now());
      if (times.length < 5) throw new PassingFailure("p", times.length === 4 ? 0 : undefined);
    });
    for (let i = 2; i < times.length; i++) waits.push(times[i] - times[i - 1]);
    return [waits[0] >= 11, waits[1] >= 22];
  });
  calls.note("limits", [LARGEST_ANSWERS, MOST_ANSWERS]);
  const body = (...chunks: (Uint8Array | string)[]) => ({
    receive: async (take: (chunk: Uint8Array) => boolean) => {
      for (const chunk of chunks) if (!take(Buffer.from(chunk))) return;
    },
    discard: () => {},
  });
  const text = Buffer.from("größe ".repeat(20));
  for (const [encoding, packed] of [
    [undefined, text],
    ["identity", text],
    ["", text],
    ["gzip", gzipSync(text)],
    [" X-GZIP ", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["br", brotliCompressSync(text)],
    ["gzip", text],
    ["zstd", text],
    ["constructor", text],
  ] as const)
    await calls
      .does(
        `packed: ${encoding}`,
        async () =>
          Buffer.from(
            await new SmallAnswers("it", 1000).read(
              body(packed.subarray(0, 9), packed.subarray(9)),
              encoding,
            ),
          ).toString() === text.toString(),
      )
      .then(() => calls.lines.push(calls.lines.pop()!.replace(/unpack \(.*\)/, "unpack (…)")));
  await calls.does("many answers", () => {
    const own = new SmallAnswers("it", 1);
    for (let i = 0; i < MOST_ANSWERS; i++) own.begin();
    own.begin();
  });
  await calls.does("too slow", () =>
    new SmallAnswers("it", 0.05).read(
      {
        receive: async (take) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          take(Buffer.from("x"));
        },
        discard: () => {},
      },
      undefined,
    ),
  );
  calls.title("bodies");
  const receive = (name: string, stream: Readable, most = 9, problem?: Error) =>
    calls.once(name, async () => {
      const taken: string[] = [];
      const end = await new StreamedBody(stream)
        .receive((chunk) => {
          taken.push(String(chunk));
          if (problem) throw problem;
          return taken.length < most;
        })
        .then(
          () => "done",
          (error: Error) => error.message,
        );
      return [taken, end, stream.destroyed];
    });
  await receive("all", Readable.from([Buffer.from("a"), Buffer.from("b")]));
  await receive("enough", Readable.from([Buffer.from("a"), Buffer.from("b"), Buffer.from("c")]), 2);
  await receive(
    "a taker that throws",
    Readable.from([Buffer.from("a"), Buffer.from("b")]),
    9,
    new Error("no"),
  );
  await receive("nothing", Readable.from([]));
  const broken = new PassThrough();
  setTimeout(() => broken.destroy(new Error("broke")), 5);
  await receive("broken", broken);
  const closed = new PassThrough();
  setTimeout(() => closed.destroy(), 5);
  await receive("closed", closed);
  const left = new PassThrough();
  new StreamedBody(left).discard();
  calls.note("discarded", left.destroyed);
  calls.approve("io/hub/attempts");
});

test("the cache of a repository is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const cache = new RepositoryCache(folder, "org/na.me");
  calls.note("folder", cache.folder);
  const revisions = ["main", "refs/pr/1", commit, "../x", "a//b", ".", "a/../b", "a\\b", "a\0b", "", "/a"];
  for (const revision of revisions)
    await calls.does(`commit of ${JSON.stringify(revision)}`, () => cache.commitOf(revision));
  for (const [revision, sha] of [
    ["main", commit],
    ["refs/pr/1", commit],
    [commit, commit],
    ["main", "xyz"],
    ["main", `${commit}0`],
    ["../x", commit],
  ])
    await calls.does(`remember ${revision} as ${sha.slice(0, 45)}`, () =>
      cache.rememberCommit(revision, sha),
    );
  for (const revision of ["main", "refs/pr/1"])
    await calls.does(`now ${revision}`, () => cache.commitOf(revision));
  writeFileSync(join(cache.folder, "refs", "odd"), `${commit}\n`);
  writeFileSync(join(cache.folder, "refs", "bad"), "no commit");
  for (const revision of ["odd", "bad"])
    await calls.does(`written ${revision}`, () => cache.commitOf(revision));
  const sha1 = "a".repeat(40);
  const sha256 = "b".repeat(64);
  const file = (change: object = {}): ListedFile => ({
    path: "d/f.json",
    size: 3,
    etag: sha1,
    isLarge: false,
    ...change,
  });
  await calls.does("no listing", () => cache.listing(commit));
  for (const files of [
    [file()],
    [],
    [file({ path: "../x" })],
    [file({ path: "a//b" })],
    [file({ path: "a/./b" })],
    [file({ path: "" })],
    [file({ path: "a\\b" })],
    [file({ path: 3 })],
    [file({ size: -1 })],
    [file({ size: 1.5 })],
    [file({ size: 2 ** 53 })],
    [file({ etag: "a".repeat(39) })],
    [file({ etag: "A".repeat(40) })],
    [file({ etag: "a".repeat(50) })],
    [file(), file({ path: "é.bin", etag: sha256, isLarge: true, size: 0 })],
  ])
    await calls.does(
      `listing of ${JSON.stringify(files).replace(/a{39,}/, (found) => `${found.length} a`)}`,
      async () => {
        await cache.rememberListing(commit, files);
        return cache.listing(commit);
      },
    );
  writeFileSync(join(cache.folder, "luvit", `${commit}.json`), "{");
  await calls.does("a damaged listing", () => cache.listing(commit));
  writeFileSync(join(cache.folder, "luvit", `${commit}.json`), '[{"path":"../x","size":1,"etag":"x"}]');
  await calls.does("a hostile listing", () => cache.listing(commit));
  await calls.does("complete", () => cache.complete(commit, file()));
  await calls.does("names", () => cache.completeNames(commit));
  await calls.does("stretches", () => cache.stretches(file()));
  await calls.once("a failing store", () =>
    cache.store(commit, file(), async (path) => {
      writeFileSync(path, "x");
      throw new Error("disk");
    }),
  );
  calls.note("blobs", readdirSync(join(cache.folder, "blobs")));
  await calls.does("store", () => cache.store(commit, file(), async (path) => writeFileSync(path, "abc")));
  calls.note("link", readlinkSync(join(cache.snapshot(commit), "d", "f.json")));
  calls.note("files", [
    readdirSync(join(cache.folder, "blobs")),
    readdirSync(join(cache.snapshot(commit), "d")),
    readdirSync(join(cache.folder, "snapshots")),
  ]);
  await calls.does("complete", () => cache.complete(commit, file()));
  await calls.does("of another size", () => cache.complete(commit, file({ size: 4 })));
  const other = "f".repeat(40);
  await calls.does("linked for another commit", () => cache.complete(other, file()));
  calls.note("names", [await cache.completeNames(commit), await cache.completeNames(other)]);
  chmodSync(join(cache.folder, "blobs"), 0o755);
  calls.approve("io/hub/cache");
});
