import { parentPort, workerData } from "node:worker_threads";
import { slot } from "../signals";
import { CellsThread } from "./cellsThread";
import { MemoryGuard } from "./memoryGuard";
import { Stopper } from "./stopper";
import type { FromWatch, ToWatch, WatchData } from "./watch";

/** A thread that watches the thread of the cells where there is no kernel around it. */
const data = workerData as WatchData;
const signals = new Int32Array(data.signals);
const cells = new CellsThread(signals);
const stopper = new Stopper(signals);
let running = 0;
let deadline: NodeJS.Timeout | undefined;

function expire(cell: number): void {
  Atomics.store(signals, slot.stop, 1); // loops of cells ask, and end
  stopper.stop({
    isOpen: () => running === cell,
    remind: () => tell("overdue"),
    hearing: async () => ((await cells.ask("isOverdue")) === true ? "deaf" : "heard"),
    tell: () => {},
  });
}

function tell(message: FromWatch): void {
  parentPort!.postMessage(message);
}

parentPort!.on("message", (message: ToWatch) => {
  if (message.kind === "waits") stopper.wait = message.wait;
  else {
    running = message.kind === "cell" ? message.number : 0;
    clearTimeout(deadline);
    if (message.kind === "cell" && message.milliseconds !== undefined)
      deadline = setTimeout(expire, message.milliseconds, message.number);
  }
});
new MemoryGuard(
  cells,
  data.heapLimit,
  () => running || undefined,
  () => tell("full"),
);
