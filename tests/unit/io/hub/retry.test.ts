import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import timers from "node:timers/promises";
import { inspect } from "node:util";
import { LuvitError } from "../../../../src/core/errors";
import { RangeRequests } from "../../../../src/io/hub/rangeRequests";
import { PassingFailure, retrying } from "../../../../src/io/hub/retry";
import { hubSettings } from "../../../../src/io/hub/settings";
import { HubTransport } from "../../../../src/io/hub/transport";
import { assertRejects, temporaryFolder } from "../support";

const { signal } = new AbortController();
const what = "a question";

/** Fails `times` times, then gives the number of attempts. */
function failing(times: number, make: () => Error, each: () => void = () => {}) {
  let tried = 0;
  return async () => {
    each();
    if (tried++ < times) throw make();
    return tried;
  };
}

test("what passes by itself is tried seven times, anything else once", async () => {
  const passing = () => new PassingFailure("HTTP 503");
  assert.equal(await retrying({ what, signal, delay: 0 }, failing(6, passing)), 7);
  await assertRejects(
    () => retrying({ what, signal, delay: 0 }, failing(7, passing)),
    "network",
    "HTTP 503, 7 times",
  );
  let tried = 0;
  const other = failing(
    1,
    () => new LuvitError("no-access", "no"),
    () => void tried++,
  );
  await assertRejects(() => retrying({ what, signal, delay: 0 }, other), "no-access");
  assert.equal(tried, 1);
});

test("work that gets on is tried as often as it takes", async () => {
  let reached = 0;
  const work = failing(
    40,
    () => new PassingFailure("the connection failed"),
    () => void reached++,
  );
  assert.equal(await retrying({ what, signal, delay: 0, progress: () => reached }, work), 41);
  const stuck = failing(40, () => new PassingFailure("the connection failed"));
  await assertRejects(
    () => retrying({ what, signal, delay: 0, progress: () => 7 }, stuck),
    "network",
    "7 times",
  );
});

test("the time that a server asks for is waited, not the usual one", async () => {
  const started = performance.now();
  await retrying(
    { what, signal, delay: 0 },
    failing(2, () => new PassingFailure("busy", 150)),
  );
  assert.ok(performance.now() - started >= 290);
  // Waiting the usual time would take longer than a test may.
  await retrying(
    { what, signal, delay: 1e8 },
    failing(3, () => new PassingFailure("busy", 0)),
  );
});

test("waits double from the usual one on, a quarter more or less, up to 20 s; a server's up to five minutes", async (t) => {
  const waits: number[] = [];
  t.mock.method(timers, "setTimeout", async (milliseconds: number) => void waits.push(milliseconds));
  const random = t.mock.method(Math, "random", () => 0);
  const waited = async (own?: number) => {
    waits.length = 0;
    const busy = failing(6, () => new PassingFailure("busy", own));
    await retrying({ what, signal, delay: 1000 }, busy);
    return waits.slice();
  };
  assert.deepEqual(await waited(), [750, 1500, 3000, 6000, 12_000, 15_000]);
  random.mock.mockImplementation(() => 1);
  assert.deepEqual(await waited(), [1250, 2500, 5000, 10_000, 20_000, 25_000]);
  assert.deepEqual(await waited(400_000), Array(6).fill(300_000));
  assert.deepEqual(await waited(299_000), Array(6).fill(299_000));
});

test("a stop during the wait ends it", { timeout: 10_000 }, async () => {
  const controller = new AbortController();
  const waiting = retrying(
    { what, signal: controller.signal, delay: 1e8 },
    failing(9, () => new PassingFailure("busy")),
  );
  setTimeout(() => controller.abort(new LuvitError("interrupted", "stopped")), 10);
  await assertRejects(() => waiting, "interrupted");
});

test("the wait is read from Retry-After, in seconds or as a date, and from the hub's own header", async () => {
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint: "http://127.0.0.1:1" });
  const transport = new HubTransport(settings, "org/name", signal);
  const waitFor = (headers: Record<string, string>, status = 429) => {
    const failure = transport.refusalOf(status, (name) => headers[name], "main");
    assert.ok(failure instanceof PassingFailure, `${failure}`);
    return failure.wait;
  };
  assert.equal(waitFor({ "retry-after": "7" }), 7000);
  assert.equal(waitFor({ "retry-after": "7", ratelimit: '"api";r=0;t=55' }), 7000);
  assert.equal(waitFor({ ratelimit: '"api";r=0;t=55' }), 55_000);
  assert.equal(waitFor({ "retry-after": "3" }, 503), 3000);
  assert.equal(waitFor({}), undefined);
  assert.equal(waitFor({ "retry-after": "soon" }), undefined);
  const soon = waitFor({ "retry-after": new Date(Date.now() + 60_000).toUTCString() })!;
  assert.ok(soon > 50_000 && soon <= 60_000, `${soon}`);
  assert.equal(waitFor({ "retry-after": new Date(0).toUTCString() }), 0);
  await transport.close();
});

test("answers that pass by themselves are told from those that stay", async () => {
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint: "http://127.0.0.1:1" });
  const transport = new HubTransport(settings, "org/name", signal);
  const passes = (status: number) =>
    transport.refusalOf(status, () => undefined, "main") instanceof PassingFailure;
  const statuses = [400, 401, 403, 404, 408, 410, 416, 429, 451, 500, 502, 503, 504, 599];
  assert.deepEqual(statuses.filter(passes), [408, 429, 500, 502, 503, 504, 599]);
  await transport.close();
});

/** A server of ten bytes that answers as it is told, and what it was asked for. */
async function tenBytes(t: TestContext) {
  const asked: string[] = [];
  const told: { range?: string; etag?: string; status?: number }[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.range}`);
    const { range, etag, status = 206 } = told.shift() ?? {};
    const [first, last] = (range ?? request.headers.range!).match(/\d+/g)!.map(Number);
    const bytes =
      status === 200
        ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        : Array.from({ length: last - first + 1 }, (_, i) => first + i);
    response.writeHead(status, {
      ...(status === 206 ? { "content-range": range ?? `bytes ${first}-${last}/10` } : {}),
      ...(etag === undefined ? {} : { "x-linked-etag": etag }),
      "content-length": bytes.length,
    });
    response.end(Uint8Array.from(bytes));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint, retryDelay: 1 });
  const transport = new HubTransport(settings, "org/name", signal);
  t.after(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
  });
  const etag = "e".repeat(64);
  const file = { name: "it", path: "sub dir/w #1?.bin", commit: "c".repeat(40), size: 10, etag };
  const read = async (start: number, end: number, ...answers: typeof told) => {
    told.splice(0, told.length, ...answers);
    const found: number[] = [];
    const requests = new RangeRequests(transport, file);
    await requests.read({ start, end }, (position, chunk) => {
      assert.equal(position, start + found.length);
      found.push(...chunk);
    });
    return found;
  };
  return { asked, etag, read };
}

test("a range is asked for by its file's escaped name, from first to last byte, and read to its end", async (t) => {
  const { asked, etag, read } = await tenBytes(t);
  const address = `/org/name/resolve/${"c".repeat(40)}/sub%20dir/w%20%231%3F.bin`;
  assert.deepEqual(await read(2, 6), [2, 3, 4, 5]);
  assert.deepEqual(asked, [`${address} bytes=2-5`]);
  for (const written of [etag, `"${etag}"`, `W/"${etag}"`])
    assert.deepEqual(await read(0, 10, { etag: written }), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], written);
  assert.deepEqual(await read(2, 6, { range: "bytes 2-5/*" }), [2, 3, 4, 5]);
  assert.deepEqual(await read(3, 5, { status: 200 }), [3, 4], "of a whole file what was asked for");
  asked.length = 0;
  assert.deepEqual(await read(2, 6, { range: "bytes 2-3/10" }), [2, 3, 4, 5]);
  assert.deepEqual(asked, [`${address} bytes=2-5`, `${address} bytes=4-5`], "the rest is asked for");
});

test("an answer of other bytes, another length or other content is refused", async (t) => {
  const { etag, read } = await tenBytes(t);
  for (const range of ["bytes 1-5/10", "bytes 3-5/10", "bytes 2-6/10", "2-5/10"])
    await assertRejects(() => read(2, 6, { range }), "network", "bytes 2-5 were asked for");
  for (const size of [9, 11])
    await assertRejects(
      () => read(2, 6, { range: `bytes 2-5/${size}` }),
      "network",
      "the listing says 10 bytes",
    );
  const other = { etag: `"${etag.slice(1)}f"` };
  await assertRejects(() => read(2, 6, other), "network", "the listing calls its content eee");
});

test("the token goes to the hub's own address, not to the same machine without encryption or at another port", async (t) => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end("x");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const own = `http://127.0.0.1:${port}`;
  for (const endpoint of [
    own,
    `https://127.0.0.1:${port}`,
    `http://127.0.0.1:${port - 1}`,
    `http://localhost:${port}`,
  ]) {
    const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint, token: "secret" });
    const transport = new HubTransport(settings, "org/name", signal);
    for (const open of [transport.open, transport.openContent])
      (await open.call(transport, new URL(`${own}/file`), {})).body.discard();
    await transport.close();
  }
  server.closeAllConnections();
  assert.deepEqual(seen, ["Bearer secret", "Bearer secret", ...Array<undefined>(6)]);
});

test("ten redirections are followed and not eleven; what the last answer does not say an earlier one does", async (t) => {
  const server = createServer((request, response) => {
    const left = Number(request.url!.slice(1));
    if (left === 0) response.writeHead(200, { "x-own": "last" }).end("x");
    else response.writeHead(302, { location: `/${left - 1}`, "x-own": "first", "x-first": `${left}` }).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint });
  const transport = new HubTransport(settings, "org/name", signal);
  t.after(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
  });
  const answer = await transport.open(new URL(`${endpoint}/10`), {});
  answer.body.discard();
  const { status, url, header } = answer;
  assert.deepEqual([status, url.pathname], [200, "/0"]);
  assert.deepEqual([header("x-own"), header("x-first"), header("x-none")], ["last", "1", undefined]);
  const tooFar = () => transport.open(new URL(`${endpoint}/11`), {});
  await assertRejects(tooFar, "network", "more than 10 redirections");
});

test("a stop ends a request to which nothing is answered", async () => {
  const server = createServer(() => {});
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint });
  const stop = new AbortController();
  const transport = new HubTransport(settings, "org/name", stop.signal);
  try {
    const asked = transport.open(new URL(`${endpoint}/file`), {});
    server.once("connection", () => stop.abort(new LuvitError("interrupted", "stopped")));
    await assert.rejects(asked, (error: unknown) => !/timeout|nothing came/i.test(inspect(error)));
  } finally {
    await transport.close();
    server.closeAllConnections();
    server.close();
  }
});
