import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { kernelInfo } from "./jupyter/info";
import { Link } from "./jupyter/link";
import type { Connection, ProtocolData, ToCells } from "./protocol/channel";
import { createSignals } from "./signals";
import { heapLimit } from "./watch/watched";

/** Runs the kernel that a connection file describes: the protocol in a thread of its own, cells in this one. */
function main(connectionFile: string): void {
  const connection = JSON.parse(readFileSync(connectionFile, "utf8")) as Connection;
  const signals = createSignals();
  const { port1, port2 } = new MessageChannel();
  const workerData: ProtocolData = {
    connection,
    signals: signals.buffer as SharedArrayBuffer,
    heapLimit: heapLimit(),
    answers: port2,
    info: kernelInfo(),
  };
  const worker = new Worker(join(__dirname, "protocol", "main.js"), { workerData, transferList: [port2] });
  worker.on("error", (error) => {
    process.stderr.write(`the kernel's protocol failed: ${error.stack}\n`);
    process.exit(1);
  });
  // Loading what runs cells takes as long as opening the sockets: beside it, not before.
  const { Session } = require("./jupyter/session") as typeof import("./jupyter/session");
  const link = new Link(worker, signals, port1);
  const session = new Session(link, signals, nameOf(connectionFile));
  worker.on("message", (message: ToCells) => {
    if (message.kind === "request") void session.take(message.request);
    else if (message.kind === "interrupt") session.executor.interrupt(message.number);
    else if (message.kind === "full") session.executor.endForMemory();
    else session.shutDown();
  });
}

/** Jupyter's servers name the connection file after the kernel. */
function nameOf(connectionFile: string): string | undefined {
  return /^kernel-([\w-]+)\.json$/.exec(basename(connectionFile))?.[1];
}

main(process.argv[2]!);
