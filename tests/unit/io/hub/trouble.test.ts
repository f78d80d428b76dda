import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RangeRequests } from "../../../../src/io/hub/rangeRequests";
import { hubSettings } from "../../../../src/io/hub/settings";
import { HubTransport } from "../../../../src/io/hub/transport";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { commit, type Imitation } from "../../../support/hubImitation";
import { assertRejects, assertSameTensors } from "../support";
import { asking, blockBytes, blockOf, servedCheckpoint } from "./support";

let hub: Imitation;
const folder = servedCheckpoint((started) => {
  hub = started;
});

async function assertLoads(options: ReturnType<typeof asking>): Promise<void> {
  assertSameTensors((await readLlamaBlocks("org/name", { ...options, block: 2 })).tensors, blockOf(1));
}

/** Bytes of the shards kept in a cache. */
function keptBytes(cache: string): number {
  const luvit = join(cache, "models--org--name", "luvit");
  const entries = readdirSync(luvit, { recursive: true }).map(String);
  const stretches = entries.filter((name) => /^[0-9a-f]{64}[\\/]\d+\.[0-9a-f]{8}$/.test(name));
  return stretches.reduce((sum, name) => sum + statSync(join(luvit, name)).size, 0);
}

test("a connection that breaks off is taken up again where it broke, again and again", async () => {
  hub.misbehave({ breakAfter: 200_000, times: 9 });
  await assertLoads(asking(hub));
  assert.ok(hub.contentBytes < blockBytes + 10 * 2 ** 17, `${hub.contentBytes} bytes`);
  const starts = hub.contentRequests.map(({ range }) => Number(/=(\d+)/.exec(range!)![1]));
  assert.ok(new Set(starts).size >= 9, "each request begins further on");
});

test("an answer that ends early, properly or not, is asked for again from there", async () => {
  hub.misbehave({ shorten: 10_000, where: (url) => url.search.includes("model-"), times: 4 });
  await assertLoads(asking(hub));
});

test("a server that is busy is asked again after the time it names", async () => {
  hub.misbehave({
    status: 429,
    headers: { "retry-after": "0" },
    where: (url) => url.pathname.includes("/api/"),
  });
  hub.misbehave({ status: 429, headers: { ratelimit: '"resolvers";r=0;t=0' } });
  hub.misbehave({ status: 503, times: 3 });
  await assertLoads(asking(hub));
});

test("a server that stays busy is given up with its status and how often it was asked", async () => {
  hub.misbehave({ status: 503, times: 100 });
  await assertRejects(() => assertLoads(asking(hub)), "network", /model-0000\d.*HTTP 503, 7 times in a row/);
});

test("a connection on which nothing comes is given up and taken up again", async () => {
  hub.misbehave({ pause: 600, times: 1, where: (url) => url.search.includes("model-") });
  const options = asking(hub);
  await assertLoads({ ...options, hub: { ...options.hub, idleTimeout: 250 } } as typeof options);
});

/** Answers with a status when a signed address is asked for the second time, as often as `most`; how often it has. */
function expire(status: number, most = 1): () => number {
  const asked = new Set<string>();
  let failures = 0;
  const where = ({ pathname, search }: URL) => {
    const isFirst = !search.includes("Signature") || !asked.has(pathname);
    asked.add(pathname);
    return !isFirst && failures < most && ++failures > 0;
  };
  hub.misbehave({ status, where, times: most });
  return () => failures;
}

test("a signature that has expired, whatever status says so, is renewed at the hub", async () => {
  for (const status of [400, 401, 403, 404, 410]) {
    hub.behave();
    const failures = expire(status);
    await assertLoads(asking(hub));
    assert.equal(failures(), 1, `HTTP ${status}`);
  }
});

test("another status is no expiry: the server that the hub names is told with it, and not asked again", async () => {
  for (const status of [402, 405, 451]) {
    hub.behave();
    const failures = expire(status, 9);
    await assertRejects(
      () => assertLoads(asking(hub)),
      "network",
      new RegExp(`127\\.0\\.0\\.1:\\d+, where the hub sent us, answered HTTP ${status}`),
    );
    assert.ok(failures() <= 4, `${failures()} failures, one for each connection at most`);
  }
});

test("a server that ignores ranges is borne with for small files and refused for large ones", async () => {
  hub.misbehave({ ignoreRange: true, times: 100 });
  const options = asking(hub);
  await assertLoads(options);
  const settings = await hubSettings({}, options.hub);
  const transport = new HubTransport(settings, "org/name", new AbortController().signal);
  const path = readdirSync(folder).find((name) => name.endsWith(".safetensors"))!;
  const large = { name: "large", path, commit, size: 9e9, etag: hub.etagOf(path) };
  const requests = new RangeRequests(transport, large);
  const read = requests.read({ start: 5e9, end: 5e9 + 10 }, () => {});
  await assertRejects(() => read, "network", /ignores ranges and would send all 9000 MB; set HF_ENDPOINT/);
  await transport.close();
});

test("other bytes than those asked for are refused", async () => {
  hub.misbehave({ shift: 64, times: 100 });
  await assertRejects(
    () => assertLoads(asking(hub)),
    "network",
    /were asked for, 127\.0\.0\.1:\d+ sent bytes/,
  );
});

test("a file whose length is not the listed one is refused", async () => {
  hub.misbehave({ claimedSize: 1000, times: 100, where: (url) => url.search.includes("model-") });
  await assertRejects(() => assertLoads(asking(hub)), "network", /the listing says \d+ bytes/, /out of date/);
  hub.behave();
  hub.misbehave({ status: 416, headers: { "content-range": "bytes */77" } });
  await assertRejects(() => assertLoads(asking(hub)), "network", /says bytes \*\/77/);
});

test("what came before an end is kept, and only the rest is asked for", async () => {
  const options = asking(hub);
  hub.misbehave({ breakAfter: 600_000, times: 4 });
  hub.misbehave({ status: 404, times: 1000 });
  await assertRejects(() => assertLoads(options), "network", /where the hub sent us, answered HTTP 404/);
  const kept = keptBytes(options.hub.cache);
  assert.ok(kept > 500_000, `${kept} bytes kept`);
  hub.behave();
  hub.forget();
  await assertLoads(options);
  assert.ok(hub.contentBytes <= blockBytes + 2 ** 18 - kept, `${hub.contentBytes} after ${kept}`);
});

test("the signal and the stop button end a download, and what came is kept", async () => {
  for (const stop of ["signal", "SIGINT"] as const) {
    hub.behave();
    hub.misbehave({ pause: 50, times: 100, where: (url) => url.search.includes("model-") });
    const options = asking(hub);
    const before = hub.contentBytes;
    const controller = new AbortController();
    const keepsTheTestRunning = () => {};
    process.on("SIGINT", keepsTheTestRunning);
    const work = readLlamaBlocks("org/name", { ...options, block: 2, signal: controller.signal });
    const rejected = assertRejects(() => work, "interrupted", /loading org\/name was stopped/);
    while (hub.contentBytes - before < 600_000) await sleep(2);
    if (stop === "signal") controller.abort();
    else process.kill(process.pid, "SIGINT");
    await rejected;
    assert.ok(hub.contentBytes - before < blockBytes, "it had not come to its end");
    process.off("SIGINT", keepsTheTestRunning);
    assert.ok(keptBytes(options.hub.cache) > 100_000);
  }
});

test("a download goes on where its killed process left it", async () => {
  const options = asking(hub);
  hub.misbehave({ pause: 3, times: 1000, where: (url) => url.search.includes("model-") });
  const script = `
    const { readLlamaBlocks } = require(${JSON.stringify(require.resolve("../../../../src/io/llama/weights"))});
    readLlamaBlocks("org/name", ${JSON.stringify({ blocks: [1, 2, 3, 4], ...options })}).catch(() => {});`;
  const child = spawn(process.execPath, ["-e", script], { stdio: "inherit" });
  while (hub.contentBytes < 2 * blockBytes && child.exitCode === null) await sleep(20);
  child.kill("SIGKILL");
  await once(child, "close");
  const kept = keptBytes(options.hub.cache);
  hub.behave();
  hub.forget();
  const all = await readLlamaBlocks("org/name", { ...options, blocks: [1, 2, 3, 4] });
  assert.equal(all.layerIndices.length, 4);
  for (const layer of [0, 1, 2, 3]) {
    const own = [...all.tensors].filter(([name]) => name.startsWith(`layers.${layer}.`));
    assertSameTensors(
      new Map(own.map(([name, tensor]) => [name.replace(/\d+/, "0"), tensor])),
      blockOf(layer),
    );
  }
  assert.ok(hub.contentBytes + kept < 4 * blockBytes + 2 ** 20, `${hub.contentBytes} after ${kept}`);
});

test("two downloads into one cache do not disturb each other", async () => {
  const options = asking(hub);
  hub.misbehave({ pause: 1, times: 1000 });
  await Promise.all([assertLoads(options), assertLoads(options), assertLoads(options)]);
  hub.forget();
  await assertLoads(options);
  assert.equal(hub.contentBytes, 0);
});
