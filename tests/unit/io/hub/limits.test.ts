import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Body } from "../../../../src/io/hub/body";
import { SmallAnswers } from "../../../../src/io/hub/smallAnswers";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { commit } from "../../../support/hubImitation";
import { assertRejects } from "../support";
import { asking } from "./support";

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
});

/** Asks a server for a block; `idle`: milliseconds of silence that are borne. */
async function askFor(
  answer: RequestListener,
  idle = 2000,
): Promise<{ requests: () => number; load: () => Promise<unknown> }> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const options = asking({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const hub = { ...options.hub, idleTimeout: idle, retryDelay: 1 };
  return { requests: () => requests, load: () => readLlamaBlocks("org/name", { ...options, hub }) };
}

const described = JSON.stringify({
  id: "org/name",
  sha: commit,
  private: false,
  gated: false,
  downloads: 0,
  likes: 0,
  lastModified: "2024-01-01T00:00:00Z",
});
const isDescription = (url = "") => url.includes("/revision/");

/** A hub that describes the repository, and then answers questions for its list like this. */
const listing =
  (answer: RequestListener): RequestListener =>
  (request, response) =>
    isDescription(request.url) ? response.end(described) : answer(request, response);

test("a small packed answer that unpacks into a large one is refused", async () => {
  const bomb = gzipSync(Buffer.alloc(70 * 2 ** 20, " "));
  for (const bytes of [bomb, gzipSync(Buffer.concat([Buffer.from("[]"), Buffer.alloc(65 * 2 ** 20, " ")]))]) {
    const { load, requests } = await askFor((_, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(bytes);
    });
    await assertRejects(load, "network", "longer than 64 MiB");
    assert.equal(requests(), 1, "it is not asked for again");
  }
});

test("packed answers that are small are read, and ways of packing that nobody knows are not", async () => {
  const { load } = await askFor((request, response) => {
    if (!isDescription(request.url)) return response.writeHead(404).end();
    response.setHeader("content-encoding", "gzip");
    return response.end(gzipSync(described));
  });
  await assertRejects(load, "no-access", "HTTP 404");
  for (const [encoding, text] of [
    ["zstd", "packed as zstd"],
    ["constructor", "packed as constructor"],
    ["gzip", "impossible to unpack"],
  ]) {
    const { load } = await askFor((_, response) => response.setHeader("content-encoding", encoding).end("x"));
    await assertRejects(load, "network", text);
  }
});

test("all answers to one question together are 64 MiB and a thousand pages at most", async () => {
  const body = (bytes: Uint8Array): Body => ({
    receive: async (take) => void take(bytes),
    discard: () => {},
  });
  const half = new Uint8Array(32 * 2 ** 20);
  const answers = new SmallAnswers("a list", 1000);
  assert.equal((await answers.read(body(half), undefined)).length, half.length);
  assert.equal((await answers.read(body(half), "identity")).length, half.length);
  assert.equal((await answers.read(body(new Uint8Array(0)), "")).length, 0);
  await assertRejects(() => answers.read(body(Uint8Array.of(1)), undefined), "network", "longer than 64 MiB");
  const packed = new SmallAnswers("a list", 1000);
  for (const encoding of ["gzip", "x-gzip", " GZIP "])
    assert.equal((await packed.read(body(gzipSync("text")), encoding)).toString(), "text");
  await packed.read(body(gzipSync(half)), "gzip");
  const more = gzipSync(half);
  await assertRejects(() => packed.read(body(more), "gzip"), "network", "longer than 64 MiB");
  await assertRejects(() => packed.read(body(half), undefined), "network", "longer than 64 MiB");
  for (let page = 0; page < 1000; page++) packed.begin();
  await assertRejects(async () => packed.begin(), "network", "more than 1000 pages");
});

test("an answer whose pieces come in the same memory is put together as it came", async () => {
  const memory = Buffer.alloc(2);
  const receive: Body["receive"] = async (take) => {
    for (const piece of ["[1", ",2", "]"]) take(memory.subarray(0, memory.write(piece)));
  };
  const bytes = await new SmallAnswers("it", 1000).read({ receive, discard: () => {} }, undefined);
  assert.equal(Buffer.from(bytes).toString(), "[1,2]");
});

test("an endless answer is ended", { timeout: 120_000 }, async () => {
  const block = Buffer.alloc(2 ** 20, " ");
  let sent = 0;
  const { load } = await askFor((_, response) => {
    const go = () => {
      while (!response.destroyed && response.write(block)) sent++;
      response.once("drain", go);
    };
    go();
  });
  await assertRejects(load, "network", "longer than 64 MiB");
  assert.ok(sent < 200, `${sent} MiB were sent`);
});

test("an answer that trickles without end is ended", async () => {
  const { load } = await askFor((_, response) => {
    const timer = setInterval(() => response.write(" "), 5);
    response.on("close", () => clearInterval(timer));
  }, 20);
  await assertRejects(load, "network", "not at its end after 1.2 s");
});

test("a server that takes questions and says nothing is given up", async () => {
  const { load, requests } = await askFor(() => {}, 30);
  await assertRejects(load, "network", "7 times in a row");
  assert.equal(requests(), 7);
});

test("so is one that falls silent within an answer", async () => {
  const { load, requests } = await askFor((_, response) => void response.write("{"), 30);
  await assertRejects(load, "network", "7 times in a row");
  assert.equal(requests(), 7);
});

test("a list whose pages do not end is ended", async () => {
  let page = 0;
  const { load, requests } = await askFor(
    listing((request, response) => {
      const next = new URL(request.url!, `http://${request.headers.host}`);
      next.searchParams.set("cursor", `${page++}`);
      response.setHeader("link", `<${next}>; rel="next"`);
      response.end("[]");
    }),
  );
  await assertRejects(load, "network", "more than 1000 pages");
  assert.equal(requests(), 1001);
});

test("pages that are large together are one answer that is too large", { timeout: 120_000 }, async () => {
  const text = Buffer.concat([Buffer.from("["), Buffer.alloc(30 * 2 ** 20, " "), Buffer.from("]")]);
  const { load, requests } = await askFor(
    listing((request, response) => {
      response.setHeader("link", `<http://${request.headers.host}${request.url}>; rel="next"`);
      response.end(text);
    }),
  );
  await assertRejects(load, "network", "longer than 64 MiB");
  assert.equal(requests(), 4);
});

test("redirections to files and other things that are no http address are refused, and lead nowhere", async () => {
  for (const location of [
    "file:///etc/passwd",
    "ftp://example.com/x",
    "data:,x",
    "http://",
    "javascript:1",
  ]) {
    const redirected = await askFor((_, response) => response.writeHead(302, { location }).end());
    await assertRejects(
      redirected.load,
      "network",
      "redirects to",
      JSON.stringify(location),
      "no http address",
    );
    assert.equal(redirected.requests(), 1);
  }
  const paged = await askFor(
    listing((_, response) => response.setHeader("link", '<file:///etc/passwd>; rel="next"').end("[]")),
  );
  await assertRejects(paged.load, "missing-file", "nothing");
  assert.equal(paged.requests(), 2);
  const { load } = await askFor((request, response) =>
    response.writeHead(302, { location: request.url }).end(),
  );
  await assertRejects(load, "network", "more than 10 redirections");
});

test("answers that no hub gives are said to be that", async () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  for (const text of ["<html>", "null", "7", deep, '{"sha": {"a": 1}}', '{"sha": "../../x"}', "{}"]) {
    const { load } = await askFor((_, response) => response.end(text));
    await assertRejects(load, "network");
  }
  for (const text of [
    "<html>",
    "null",
    "7",
    "{}",
    "[null]",
    '[{"type": "file", "oid": {"a": 1}, "path": 3}]',
  ]) {
    const { load } = await askFor(listing((_, response) => response.end(text)));
    await assertRejects(load, "network");
  }
  const names = ["../x", "/x", "a\\b", "a//b", ".."];
  for (const path of names) {
    const entry = { type: "file", path, size: 1, oid: "0".repeat(40) };
    const { load } = await askFor(listing((_, response) => response.end(JSON.stringify([entry]))));
    await assertRejects(load, "network", "impossible files");
  }
});
