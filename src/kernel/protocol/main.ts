import { kill, pid } from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { slot } from "../signals";
import { CellsThread } from "../watch/cellsThread";
import { MemoryGuard } from "../watch/memoryGuard";
import { Stopper } from "../watch/stopper";
import type { ProtocolData, ToCells, ToProtocol } from "./channel";
import { Debugging } from "./debugging";
import { Interrupter } from "./interrupter";
import { ShellQueue } from "./shellQueue";
import { reportFault, Sockets } from "./sockets";
import type { Message } from "./wire";

/**
 * The thread of the protocol: frontends get their heartbeat, their kernel_info and the output of cells, and can
 * interrupt and shut down, also while the thread of the cells computes.
 */
const data = workerData as ProtocolData;
const signals = new Int32Array(data.signals);
const sockets = new Sockets(data.connection);
const toCells = (message: ToCells) => parentPort!.postMessage(message);
const interrupts = () => Atomics.load(signals, slot.request);
const queue = new ShellQueue({ sockets, toCells, interrupts, info: data.info, shutdown });
const cells = new CellsThread(signals);
const stopper = new Stopper(signals);
const say = (text: string) => queue.say(text);
const debug: Debugging = new Debugging({
  ...{ sockets, queue, say },
  interrupt: () => interrupter.interrupt(),
  isInterrupted: () => interrupter.isWaiting,
});
const interrupter = new Interrupter({ signals, toCells, cells, stopper, say, debugged: debug });
const guard = new MemoryGuard(
  cells,
  data.heapLimit,
  () => queue.running,
  () => toCells({ kind: "full" }),
);

/** Milliseconds the thread of the cells has to end by itself. */
const shutdownGrace = 500;

async function shutdown(): Promise<void> {
  debug.close();
  guard.close();
  await sockets.close();
  toCells({ kind: "shutdown" });
  setTimeout(() => kill(pid, "SIGKILL"), shutdownGrace);
}

function takeControl(message: Message): void {
  const type = message.header.msg_type;
  if (type === "debug_request") void debug.take(message);
  if (!["kernel_info_request", "interrupt_request", "shutdown_request"].includes(type)) return;
  queue.status("busy", message.header);
  if (type === "interrupt_request") void interrupter.interrupt();
  queue.answerAtOnce("control", message);
  queue.status("idle", message.header);
  if (type === "shutdown_request") void shutdown();
}

function takeFromCells(message: ToProtocol): void {
  if (message.kind === "publish") {
    const { bytes, ...outgoing } = message;
    sockets.publish(outgoing, () => {
      Atomics.sub(signals, slot.outstanding, bytes);
      Atomics.notify(signals, slot.outstanding);
    });
  } else if (message.kind === "finish") queue.finish(message);
  else if (message.kind === "ask") queue.ask(message);
  else if (message.kind === "waits") stopper.wait = message.wait;
  else {
    debug.close(); // a process with an open inspector waits at its end
    guard.close();
    void sockets.close().then(() => {
      Atomics.store(signals, slot.drained, 1);
      Atomics.notify(signals, slot.drained);
    });
  }
}

function answer(value: string | null): void {
  data.answers.postMessage(value);
  Atomics.store(signals, slot.answered, 1);
  Atomics.notify(signals, slot.answered);
}

/**
 * Ends the kernel when the process that started it is gone: whoever takes it up then is another one, not always the
 * system's first, which in a container is often the server itself.
 */
function followParent(): void {
  if (!process.env.JPY_PARENT_PID || process.platform === "win32") return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid === parent) return;
    debug.close();
    guard.close();
    kill(pid, "SIGKILL");
  }, 1000).unref();
}

async function main(): Promise<void> {
  await sockets.open();
  process.on("uncaughtException", reportFault); // a fault here must not end the cells' thread
  parentPort!.on("message", () => {}); // keeps the thread alive
  parentPort!.on("message", takeFromCells);
  interrupter.onInterrupt = () => answer(null);
  void sockets.listen("control", takeControl);
  void sockets.listen("shell", (message) => queue.add(message));
  void sockets.listen("stdin", ({ header, content }) => {
    if (header.msg_type === "input_reply") answer(String(content.value ?? ""));
  });
  followParent();
  queue.status("starting", {});
}

void main();
