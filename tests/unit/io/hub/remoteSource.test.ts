import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { showWorkWith } from "../../../../src/core/progress";
import { RemoteSource } from "../../../../src/io/hub/remoteSource";
import { type HubSettings, hubSettings } from "../../../../src/io/hub/settings";
import { StretchFolder } from "../../../../src/io/hub/stretches";
import { HubTransport } from "../../../../src/io/hub/transport";
import { assertRejects, temporaryFolder, watchWork } from "../support";

const size = 300_000;
const content = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 37) ^ (i >> 8)));
const hash = createHash("sha256").update(content).digest("hex");

/** A server of these bytes, what it was asked for, and sources that read it into one folder. */
async function served(t: TestContext, more: Partial<HubSettings> = {}, etag = hash) {
  const asked: [first: number, end: number][] = [];
  const refused = new Set<number>();
  const server = createServer((request, response) => {
    const [first, last] = request.headers.range!.match(/\d+/g)!.map(Number);
    asked.push([first, last + 1]);
    if (refused.has(first)) return response.writeHead(404).end();
    const head = { "content-range": `bytes ${first}-${last}/${size}`, "content-length": last + 1 - first };
    return response.writeHead(206, head).end(content.subarray(first, last + 1));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint, retryDelay: 1, ...more });
  const { signal } = new AbortController();
  const transport = new HubTransport(settings, "org/name", signal);
  t.after(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
  });
  const folder = join(settings.cache, "stretches");
  const file = { name: "hf://it", path: "it.bin", commit: "c".repeat(40), size, etag };
  const source = () => new RemoteSource(transport, file, new StretchFolder(folder));
  return { asked, refused, folder, source };
}

test("what is read has what lies around it fetched: 64 KiB at either end, 4 KiB within, nothing around what is long", async (t) => {
  const { asked, source } = await served(t);
  const remote = source();
  assert.deepEqual([remote.name, remote.path, remote.size], ["hf://it", "it.bin", size]);
  const reads: [start: number, end: number, asked: typeof asked][] = [
    [0, 8, [[0, 65_536]]],
    [8, 65_536, []],
    [size - 22, size, [[size - 65_536, size]]],
    [size - 65_536, size - 65_535, []],
    [150_000, 150_010, [[150_000, 154_096]]],
    [150_010, 154_096, []],
    [100_000, 105_000, [[100_000, 105_000]]],
    [
      70_000,
      140_000,
      [
        [70_000, 100_000],
        [105_000, 140_000],
      ],
    ],
    [size, size, []],
    [7, 7, []],
  ];
  for (const [start, end, wanted] of reads) {
    asked.length = 0;
    const bytes = await remote.read(start, end);
    assert.ok(content.subarray(start, end).equals(bytes), `${start} to ${end}`);
    assert.deepEqual(
      asked.sort(([a], [b]) => a - b),
      wanted,
      `${start} to ${end}`,
    );
    bytes.fill(0);
  }
  assert.ok(content.subarray(0, 8).equals(await remote.read(0, 8)), "whoever read has a copy");
  assert.equal(remote.received, 2 * 65_536 + 4096 + 5000 + 30_000 + 35_000);
  asked.length = 0;
  const later = source();
  assert.ok(content.subarray(60_000, 140_000).equals(await later.read(60_000, 140_000)));
  assert.deepEqual(asked, [[65_536, 70_000]], "what was kept is not asked for again");
  assert.equal(later.received, 4464);
});

test("many ranges are each handed out once, whole, and what leaves the file is refused before anything is asked", async (t) => {
  const { asked, source } = await served(t);
  const ranges = [
    { start: 200, end: 300 },
    { start: 0, end: 100 },
    { start: 50, end: 150 },
    { start: 150, end: 200 },
    { start: 1000, end: 1000 },
    { start: size - 5, end: size },
  ];
  const found = new Map<number, Uint8Array>();
  await source().readMany(ranges, (index, bytes) => {
    assert.ok(!found.has(index));
    found.set(index, bytes);
  });
  for (const [i, { start, end }] of ranges.entries())
    assert.ok(content.subarray(start, end).equals(found.get(i)!), `${i}`);
  assert.deepEqual(
    asked.sort(([a], [b]) => a - b),
    [
      [0, 300],
      [size - 5, size],
    ],
  );
  asked.length = 0;
  for (const [start, end] of [
    [-1, 5],
    [5, 4],
    [0, size + 1],
    [Number.NaN, 5],
  ]) {
    const wrong = [
      { start: 0, end: 9 },
      { start, end },
    ];
    const text = `hf://it: bytes ${start} to ${end} are needed, the file has ${size}`;
    await assertRejects(() => source().readMany(wrong, assert.fail), "bad-file", text);
  }
  assert.deepEqual(asked, []);
});

test("a file is fetched whole without being held, put together, and thrown away when it was checked", async (t) => {
  const { asked, folder, source } = await served(t);
  const remote = source();
  await remote.read(100_000, 180_000);
  assert.equal(await remote.isComplete(), false);
  await remote.fetchAll();
  assert.equal(await remote.isComplete(), true);
  assert.deepEqual(
    asked.sort(([a], [b]) => a - b),
    [
      [0, 100_000],
      [100_000, 180_000],
      [180_000, size],
    ],
  );
  assert.equal(remote.received, size);
  await remote.fetchAll();
  assert.equal(asked.length, 3);
  const path = join(temporaryFolder(), "whole");
  await remote.assemble(path);
  assert.ok(content.equals(readFileSync(path)));
  assert.ok(!existsSync(folder));
  await source().fetchAll();
  await assert.rejects(source().assemble(path), /EEXIST/, "nothing that is there is written into");
  assert.ok(existsSync(folder));
});

test("a file whose SHA-256 is not the hub's is refused, and what was kept of it thrown away", async (t) => {
  const { folder, source } = await served(t, {}, "0".repeat(64));
  const remote = source();
  await remote.fetchAll();
  const assembled = () => remote.assemble(join(temporaryFolder(), "whole"));
  await assertRejects(assembled, "bad-file", "hf://it: its content does not have the hub's SHA-256");
  assert.ok(!existsSync(folder));
});

test("offline what is kept is read, and of what is not so many bytes are said to be missing", async (t) => {
  const { folder, source } = await served(t);
  await source().read(0, 100_000);
  const offline = await served(t, { offline: true });
  cpSync(folder, offline.folder, { recursive: true });
  assert.ok(content.subarray(0, 100_000).equals(await offline.source().read(0, 100_000)));
  const read = () => offline.source().read(90_000, 190_000);
  await assertRejects(read, "network", "hf://it: 90000 bytes of it are not in the cache", "HF_HUB_OFFLINE");
  await assertRejects(() => offline.source().fetchAll(), "network", "hf://it: 200000 bytes of it are not");
  assert.deepEqual(offline.asked, []);
});

test("where nothing can be kept everything is read all the same, and why is known", async (t) => {
  const { folder, source } = await served(t);
  writeFileSync(folder, "a file in the folder's place");
  const remote = source();
  assert.ok(content.subarray(0, 100_000).equals(await remote.read(0, 100_000)));
  assert.match(remote.cacheProblem ?? "", /EEXIST|ENOTDIR/);
});

test("a download that fails is an error and is shown as stopped; one that is done as done, with what was there", async (t) => {
  const { refused, source } = await served(t);
  const shown = watchWork();
  t.after(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));
  await source().read(100_000, 180_000);
  assert.equal(shown.length, 0, "it is short");
  refused.add(180_000);
  await assertRejects(() => source().fetchAll(), "missing-file", "it.bin");
  refused.clear();
  await source().fetchAll();
  const work = { label: "hf://it", total: size, unit: "bytes" };
  assert.deepEqual(shown, [
    { work: { ...work, kept: 80_000 }, done: 100_000, state: "stopped" },
    { work: { ...work, kept: 180_000 }, done: 120_000, state: "done" },
  ]);
});
