import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { askCommit, askListing, explain } from "../../../../src/io/hub/listing";
import { hubSettings } from "../../../../src/io/hub/settings";
import { HubTransport } from "../../../../src/io/hub/transport";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { assertRejects, temporaryFolder } from "../support";
import { asking } from "./support";

const commit = "0123456789abcdef0123456789abcdef01234567";
const blob = "a".repeat(40);
const content = "b".repeat(64);

/** A hub that answers like this. */
async function hubOf(t: TestContext, answer: RequestListener) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(decodeURIComponent(request.url!));
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = new AbortController();
  const settings = await hubSettings({}, { cache: temporaryFolder(), endpoint, retryDelay: 1 });
  const transport = new HubTransport(settings, "org/name", stop.signal);
  t.after(() => transport.close());
  return { asked, endpoint, stop, transport };
}

test("the commit of a revision, and the files of a commit, are asked of the hub's API and told as they are named there", async (t) => {
  const { asked, transport } = await hubOf(t, (request, response) => {
    if (request.url!.includes("/revision/"))
      return response.end(JSON.stringify({ id: "org/name", sha: commit }));
    const lfs = { oid: content, size: 9e9, pointerSize: 130 };
    return response.end(
      JSON.stringify([
        { type: "file", path: "a.json", size: 5, oid: blob },
        { type: "directory", path: "sub", size: 0, oid: "c".repeat(40) },
        { type: "file", path: "sub/m.bin", size: 9e9, oid: blob, lfs },
      ]),
    );
  });
  assert.equal(await askCommit(transport, "v1"), commit);
  assert.deepEqual(await askListing(transport, commit), [
    { path: "a.json", size: 5, etag: blob, isLarge: false },
    { path: "sub/m.bin", size: 9e9, etag: content, isLarge: true },
  ]);
  assert.match(asked[0], /^\/api\/models\/org\/name\/revision\/v1\b/);
  assert.match(asked[1], new RegExp(`^/api/models/org/name/tree/${commit}\\b`));
});

test("an answer that cannot be understood is told as that, with its cause; what was stopped, or says it all, as it is", async (t) => {
  const { endpoint, stop, transport } = await hubOf(t, (_, response) => response.end("{}"));
  const odd = new TypeError("not a list");
  assert.throws(
    () => explain(transport, odd),
    (error: unknown) => {
      assert.ok(error instanceof LuvitError && error.code === "network");
      assert.ok(error.message.startsWith(`${endpoint}: the answer about org/name cannot be understood`));
      assert.match(error.message, /\(not a list\); is this a hub\?$/);
      return error.cause === odd;
    },
  );
  const own = new LuvitError("no-access", "no");
  assert.throws(
    () => explain(transport, own),
    (error: unknown) => error === own,
  );
  stop.abort();
  assert.throws(
    () => explain(transport, odd),
    (error: unknown) => error === odd,
  );
});

test("loading that is stopped while the hub is asked what it has is told as stopped", async (t) => {
  for (const when of ["/revision/", "/tree/"]) {
    const controller = new AbortController();
    const { endpoint } = await hubOf(t, (request, response) => {
      if (request.url!.includes(when)) return controller.abort();
      return response.end(JSON.stringify({ id: "org/name", sha: commit }));
    });
    const load = () => readLlamaBlocks("org/name", { ...asking({ endpoint }), signal: controller.signal });
    await assertRejects(load, "interrupted", /^loading org\/name was stopped$/);
  }
});
