import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { KernelClient } from "./client";

/* Whether a process has ended is told by its end of a connection: a process that nobody waits for stays in lists. */

const main = join(__dirname, "../../../src/kernel/main.js");
const magics = join(__dirname, "../../../src/kernel");
let server: Server;
let port: number;
before(async () => {
  server = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as { port: number });
});
after(() => server.close());

const connected = async () => (await once(server, "connection"))[0] as Socket;

/** A server that starts a kernel as Jupyter does. */
const starting = (file: string) => [
  "-e",
  `process.env.JPY_PARENT_PID = process.pid;
   const kernel = require("node:child_process").spawn(process.execPath, ${JSON.stringify([main, file])}, { stdio: "ignore" });
   setInterval(() => {}, 1000);`,
];

test("a kernel ends when the process that started it does, however that ends", async (t) => {
  const kernel = await KernelClient.start(starting);
  t.after(() => kernel.close());
  const connection = connected();
  await kernel.run(`void require("node:net").connect(${port}, "127.0.0.1");`);
  const ended = once(await connection, "close");
  kernel.process.kill("SIGKILL");
  await ended;
});

const alone = ["-rpf", "--kill-child"]; // the first process of a system of its own

function mayBeAlone(): boolean {
  try {
    return execFileSync("unshare", [...alone, "echo", "can"], { stdio: "pipe" }).length > 0;
  } catch {
    return false;
  }
}

test("a kernel runs on below the first process of a container", { skip: !mayBeAlone() }, async (t) => {
  const words = (file: string) => [...alone, process.execPath, ...starting(file)];
  const kernel = await KernelClient.start(words, undefined, "unshare");
  t.after(() => kernel.close());
  const { published } = await kernel.run(
    "await new Promise((done) => setTimeout(done, 1500));\nprocess.ppid",
  );
  const result = published.find(({ type }) => type === "execute_result");
  assert.equal(result?.content.data["text/plain"], "1");
  await kernel.ask("shutdown_request", { restart: false }, "control");
});

test("what a command of a cell runs is ended with the process that ran it", async () => {
  const connection = connected();
  const command = `"${process.execPath}" -e 'require("node:net").connect(${port}, "127.0.0.1")' & wait`;
  const code = `
    const { currentExecution } = require(${JSON.stringify(join(magics, "executor", "execution.js"))});
    const { shell } = require(${JSON.stringify(join(magics, "magics", "shell.js"))});
    const execution = { outputs: { stream() {} }, stopped: new Promise(() => {}) };
    void currentExecution.run(execution, () => shell(${JSON.stringify(command)}));
    process.on("message", () => process.exit(0));`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const ended = once(await connection, "close");
  child.send("end");
  await ended;
});
