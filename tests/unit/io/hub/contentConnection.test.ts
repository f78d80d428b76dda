import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { LuvitError } from "../../../../src/core/errors";
import { parseAnswerHead } from "../../../../src/io/hub/answerHead";
import { ContentConnections } from "../../../../src/io/hub/contentConnection";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { seededRng } from "../../../support/seededRng";
import { assertSameTensors, fixtures, temporaryFolder } from "../support";
import { asking, blockOf, startHub, writeCheckpoint } from "./support";

const content = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 31) ^ (i >> 8)));
const answer = (headers: string, body: Uint8Array = content, status = "200 OK") =>
  Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n`), body]);
const measured = `Content-Length: ${content.length}`;

const servers: Server[] = [];
const sockets = new Set<Socket>();
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** A server that does `each` for the n-th request (from 0) of the m-th connection. */
async function serve(each: (socket: Socket, request: number, connection: number) => void): Promise<URL> {
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    let requests = 0;
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
    socket.on("data", () => each(socket, requests++, connection));
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/file?signature=s`);
}

/** The whole body of one answer. */
async function receive(connections: ContentConnections, url: URL): Promise<Buffer> {
  const connection = connections.to(url);
  const chunks: Buffer[] = [];
  await connection.ask(url, {});
  await connection.receive((chunk) => chunks.push(Buffer.from(chunk)) > 0);
  return Buffer.concat(chunks);
}

test("bodies arrive as sent, however the head is cut, one request after the other on one connection", async () => {
  let connected = 0;
  const url = await serve(async (socket, request, connection) => {
    connected = connection + 1;
    const bytes = answer(`${measured}\r\nX-Name: value`);
    const cut = [5, 60, 3000][request];
    socket.setNoDelay(true).write(bytes.subarray(0, cut));
    await pause(20);
    socket.write(bytes.subarray(cut));
  });
  const connections = new ContentConnections(2000);
  for (let i = 0; i < 3; i++) assert.deepEqual(await receive(connections, url), content);
  assert.equal(connected, 1);
  connections.close();
});

test("interim answers are passed over, and a connection that the server does not keep is not used again", async () => {
  let connected = 0;
  const url = await serve((socket, _, connection) => {
    connected = connection + 1;
    socket.write("HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n");
    socket.end(answer(`${measured}\r\nConnection: close`));
  });
  const connections = new ContentConnections(2000);
  for (let i = 0; i < 2; i++) assert.deepEqual(await receive(connections, url), content);
  assert.equal(connected, 2);
  connections.close();
});

test("one that ends while it is used leaves those that are kept", async () => {
  let connected = 0;
  const url = await serve((socket, _, connection) => {
    connected = connection + 1;
    if (connection === 0) socket.write(answer(measured, content.subarray(0, 9)));
    else socket.write(answer(measured));
  });
  const connections = new ContentConnections(2000);
  const used = connections.to(url);
  await used.ask(url, {});
  assert.deepEqual(await receive(connections, url), content);
  used.discard();
  await pause(50);
  assert.deepEqual(await receive(connections, url), content);
  assert.equal(connected, 2);
  connections.close();
});

test("a kept connection that the server has closed is a failure that passes at once", async () => {
  const url = await serve((socket, request) => {
    if (request === 0) socket.write(answer(measured));
    else socket.destroy();
  });
  const connections = new ContentConnections(2000);
  await receive(connections, url);
  await assert.rejects(receive(connections, url), { message: /closed|ended early|ECONNRESET/ });
  assert.deepEqual(await receive(connections, url), content);
  connections.close();
});

test("silence, other protocols, endless heads and superfluous bytes end a connection", async () => {
  const faults: [Uint8Array, RegExp][] = [
    [Buffer.from(""), /nothing came for 0.2 s/],
    [Buffer.from("SSH-2.0-OpenSSH_9.6\r\n\r\n"), /expected an HTTP answer, got "SSH-2.0/],
    [Buffer.from(`HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}`), /head of an answer is longer/],
    [answer("Content-Length: 7", Buffer.from("12345678")), /more bytes than announced/],
    [answer(measured, content.subarray(0, 9)), /nothing came for 0.2 s/],
  ];
  for (const [bytes, message] of faults) {
    const url = await serve((socket) => socket.write(bytes));
    const connections = new ContentConnections(200);
    await assert.rejects(receive(connections, url), { message });
    connections.close();
  }
});

test("what the taker throws ends the connection and is thrown", async () => {
  const url = await serve((socket) => socket.write(answer(measured)));
  const connections = new ContentConnections(2000);
  const connection = connections.to(url);
  await connection.ask(url, {});
  const work = connection.receive(() => {
    throw new RangeError("too much");
  });
  await assert.rejects(work, { message: "too much" });
  connections.close();
});

test("heads are read by their grammar", () => {
  const head = parseAnswerHead("HTTP/1.1 206 \r\nA: 1\r\nCONTENT-length:  12 \r\na: 2, 3\r\nEmpty:");
  assert.deepEqual([head.status, head.length, head.keepsOpen], [206, 12, true]);
  assert.deepEqual([head.headers.get("a"), head.headers.get("empty")], ["1, 2, 3", ""]);
  assert.equal(parseAnswerHead("HTTP/1.0 200 OK\r\ncontent-length: 1").keepsOpen, false);
  assert.equal(parseAnswerHead("HTTP/1.0 200 OK\r\nconnection: Keep-Alive").keepsOpen, true);
  const chunked = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked";
  assert.equal(parseAnswerHead(chunked).length, undefined);
  for (const wrong of [
    "HTTP/2 200",
    "HTTP/1.1 20",
    "HTTP/1.1 200 OK\r\nno colon",
    "HTTP/1.1 200\r\nContent-Length: -1",
    "HTTP/1.1 200\r\nContent-Length: 1e3",
    `HTTP/1.1 200\r\nContent-Length: ${"9".repeat(16)}`,
    "HTTP/1.1 200\r\nContent-Length: 1\r\nContent-Length: 1",
  ])
    assert.throws(() => parseAnswerHead(wrong), { code: "network" }, wrong);
});

test("a mutated head is read or refused", () => {
  const rng = seededRng(3);
  const good = `HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nX-A: ${" ".repeat(60_000)}b\r\nConnection: keep-alive`;
  const symbols = "\r\n: \t\x019aHT/\u00ff";
  for (let i = 0; i < 2000; i++) {
    const at = rng.integer(rng.integer(2) === 0 ? 60 : good.length);
    const text = `${good.slice(0, at)}${symbols[rng.integer(symbols.length)]}${good.slice(at + rng.integer(3))}`;
    try {
      const { length, status } = parseAnswerHead(text);
      assert.equal(status, Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)![1]), text.slice(0, 60));
      if (length !== undefined) assert.ok(new RegExp(`:\\s*0*${length}\\s`).test(text), `${length}`);
    } catch (error) {
      assert.ok(error instanceof LuvitError && error.message.length < 300, String(error));
    }
  }
});

test("a mirror that sends content itself is asked with the token, at its own address", async () => {
  const folder = temporaryFolder();
  await writeCheckpoint(folder);
  const mirror = await startHub({ folder, token: "any-secret", isMirror: true });
  const { hub } = asking(mirror);
  const read = await readLlamaBlocks("org/name", { block: 2, hub: { ...hub, token: "any-secret" } });
  assertSameTensors(read.tensors, blockOf(1));
  assert.equal(mirror.contentRequests.length, 0);
  assert.ok(mirror.seen.every(({ authorization }) => authorization === "Bearer any-secret"));
});

test("a store whose answers have no length is read all the same", async () => {
  const folder = temporaryFolder();
  await writeCheckpoint(folder);
  const hub = await startHub({ folder });
  hub.misbehave({ isChunked: true, times: 1000 });
  const read = await readLlamaBlocks("org/name", { block: 2, ...asking(hub) });
  assertSameTensors(read.tensors, blockOf(1));
});

test("stores with a certificate are read, and one that nobody vouches for is refused", async () => {
  const pem = join(fixtures, "localhost.pem");
  const secrets = { key: readFileSync(pem), cert: readFileSync(pem) };
  const server = createSecureServer(secrets, (_, response) => {
    response.writeHead(200, { "content-length": content.length }).end(content);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const script = `
    const { ContentConnections } = require(${JSON.stringify(require.resolve("../../../../src/io/hub/contentConnection"))});
    const connection = new ContentConnections(5000).to(new URL(${JSON.stringify(url)}));
    const hash = require("node:crypto").createHash("sha1");
    connection.ask(new URL(${JSON.stringify(url)}), {})
      .then(() => connection.receive((chunk) => Boolean(hash.update(chunk))))
      .then(() => hash.digest("hex"), ({ code }) => code)
      .then((text) => { console.log(text); process.exit(); });`;
  const outputOf = async (env: NodeJS.ProcessEnv) => {
    const child = spawn(process.execPath, ["-e", script], { env, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    for await (const part of child.stdout) text += part;
    return text.trim();
  };
  const digest = createHash("sha1").update(content).digest("hex");
  assert.equal(await outputOf({ ...process.env, NODE_EXTRA_CA_CERTS: pem }), digest);
  assert.equal(await outputOf(process.env), "DEPTH_ZERO_SELF_SIGNED_CERT");
});

test("a body that was left before its end takes its connection with it, one that was read to its end does not", async () => {
  const requests: number[] = [];
  const url = await serve((socket, _, connection) => {
    requests[connection] = (requests[connection] ?? 0) + 1;
    socket.write(answer(measured));
  });
  const connections = new ContentConnections(2000);
  const left = connections.to(url);
  await left.ask(url, {});
  let taken = 0;
  await left.receive((chunk) => {
    taken += chunk.length;
    return taken < 1000;
  });
  assert.ok(taken >= 1000 && taken < content.length, `${taken}`);
  assert.deepEqual(await receive(connections, url), content, "no byte of the one before");
  assert.deepEqual(await receive(connections, url), content);
  assert.deepEqual(requests, [1, 2]);
  // Enough is enough also where it comes with the last byte.
  const whole = connections.to(url);
  await whole.ask(url, {});
  let count = 0;
  await whole.receive((chunk) => {
    count += chunk.length;
    return count < content.length;
  });
  assert.deepEqual(await receive(connections, url), content);
  assert.deepEqual(requests, [1, 4]);
  connections.close();
});

test("connections are kept for each origin apart, and all are ended when they are closed", async () => {
  const open = new Set<Socket>();
  const server = () =>
    serve((socket, request) => {
      if (request === 0) open.add(socket.on("close", () => open.delete(socket)));
      socket.write(answer(measured));
    });
  const [one, other] = [await server(), await server()];
  const connections = new ContentConnections(2000);
  for (const url of [one, other, one, other]) assert.deepEqual(await receive(connections, url), content);
  const busy = connections.to(one);
  await busy.ask(one, {});
  const second = connections.to(one);
  await second.ask(one, {});
  assert.equal(open.size, 3, "one that is busy is not taken");
  connections.close();
  while (open.size > 0) await pause(2);
});

test("a request has its path, its query and the headers that are given, under the host with its port", async () => {
  const heads: string[] = [];
  const url = await serve((socket) => socket.write(answer(measured)));
  const [server] = servers.slice(-1);
  server.on("connection", (socket: Socket) => socket.on("data", (bytes) => heads.push(String(bytes))));
  const connections = new ContentConnections(2000);
  const connection = connections.to(url);
  await connection.ask(url, { range: "bytes=2-5", "user-agent": "luvit" });
  await connection.receive(() => true);
  connections.close();
  assert.deepEqual(heads.join("").split("\r\n"), [
    "GET /file?signature=s HTTP/1.1",
    `host: ${url.host}`,
    "range: bytes=2-5",
    "user-agent: luvit",
    "",
    "",
  ]);
});
