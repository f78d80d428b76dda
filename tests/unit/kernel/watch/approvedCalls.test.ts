import { spawn } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { runInThisContext } from "node:vm";
import { createSignals, slot, termination } from "../../../../src/kernel/signals";
import { CellsThread } from "../../../../src/kernel/watch/cellsThread";
import { Headroom } from "../../../../src/kernel/watch/headroom";
import { Inspector } from "../../../../src/kernel/watch/inspector";
import { MemoryGuard } from "../../../../src/kernel/watch/memoryGuard";
import { Stopper } from "../../../../src/kernel/watch/stopper";
import { endTree, endWaitedFor, tellWaits } from "../../../../src/kernel/watch/syncChildren";
import { Watch } from "../../../../src/kernel/watch/watch";
import { heapLimit, letWatch, question } from "../../../../src/kernel/watch/watched";
import { Calls } from "../../../support/calls";
import { sessions, taken } from "../support";

test("what is asked of the inspector is approved", async () => {
  const calls = new Calls();
  let answer: (method: string) => unknown = () => ({ result: { value: 7 } });
  const { log, made, waiting, undo } = sessions((method) => answer(method));
  const inspector = new Inspector();
  await calls.once("post", () => inspector.post("A.b", { c: 1 }));
  await calls.once("post without more", () => inspector.post("A.b"));
  answer = () => Object.assign(new Error("the inspector's words"), { code: 3 });
  await calls.once("post that fails", () => inspector.post("A.b"));
  const heard: unknown[] = [];
  inspector.on("A.event", (params) => void heard.push(params));
  made[0]!.emit("A.event" as never, { method: "A.event", params: { x: 1 } } as never);
  made[0]!.emit("A.other" as never, { params: 2 } as never);
  inspector.close();
  calls.note("heard", heard);
  calls.note("log", taken(log));
  answer = () => ({});
  const headroom = new Headroom();
  calls.note("open at first", headroom.isOpen);
  for (const step of ["open", "open", "close", "close", "open", "close"] as const) {
    await headroom[step]();
    calls.note(`headroom ${step}`, [headroom.isOpen, taken(log)]);
  }
  await headroom.open();
  for (const reason of ["OOM", "other"])
    made.at(-1)!.emit("Debugger.paused" as never, { params: { reason } } as never);
  calls.note("paused", taken(log).slice(3));
  headroom.close();
  answer = () => new Error("none");
  const failing = new Headroom();
  await calls.once("headroom that cannot be opened", () => failing.open());
  failing.close();
  taken(log);
  const signals = createSignals();
  const cells = new CellsThread(signals);
  answer = () => ({ result: { value: "heard" } });
  await calls.once("ask", () => cells.ask("hears", 3));
  await turn();
  calls.note("asked", taken(log));
  answer = () => new Error("gone");
  await calls.once("ask what fails", () => cells.ask("isFull", 0.5));
  await turn();
  calls.note("asked", taken(log));
  answer = () => ({});
  await calls.once("ask without an answer", () => cells.ask("heapShare"));
  answer = (method) => (method === "Runtime.evaluate" ? undefined : {});
  for (const state of ["none", "wanted", "taken", "sent"] as const) {
    Atomics.store(signals, slot.termination, termination[state]);
    void cells.ask("isOverdue");
    await sleep(30);
    calls.note(`terminated from ${state}`, [taken(log).slice(2), Atomics.load(signals, slot.termination)]);
    for (const one of waiting.splice(0)) one();
    await turn();
    taken(log);
  }
  undo();
  for (const asked of [["hears", 4], ["isOverdue"], ["heapShare"], ["isFull", 0.92]] as const)
    await calls.of(question, ...asked);
  calls.approve("kernel/watch/inspector");
});

test("what a thread answers of itself is approved", async () => {
  const calls = new Calls();
  const signals = createSignals();
  const state = { hearing: "heard", overdue: false, inCode: false };
  const undo = letWatch(
    { hears: () => state.hearing as never, isOverdue: () => state.overdue, isInCode: () => state.inCode },
    signals,
  );
  const ask = (...asked: Parameters<typeof question>) => {
    return runInThisContext(question(...asked)) as unknown;
  };
  for (const hearing of ["heard", "listening", "deaf"]) {
    state.hearing = hearing;
    await calls.does(`hears ${hearing}`, () => ask("hears", 1));
  }
  for (const overdue of [false, true]) {
    state.overdue = overdue;
    await calls.does(`overdue ${overdue}`, () => ask("isOverdue"));
  }
  await calls.does("share", () => {
    const share = ask("heapShare") as number;
    return share > 0.001 && share < 0.9;
  });
  await calls.does("full where no cell runs", () => ask("isFull", 0));
  state.inCode = true;
  await calls.does("full of more than there is", () => ask("isFull", 5));
  calls.note("limit", heapLimit() > 1e8);
  undo();
  await calls.does("undone", () => ask("heapShare"));
  calls.approve("kernel/watch/watched");
});

test("when memory is looked at, and what comes of it, is approved", async (t) => {
  const calls = new Calls();
  const { log: opened, undo } = sessions();
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const state = {
    share: 0.1 as number | Error,
    cell: undefined as string | undefined,
    full: true as unknown,
  };
  const asked: string[] = [];
  const cells = {
    ask: async (...given: [string, number?]) => {
      asked.push(given.map((one) => (typeof one === "number" ? one.toFixed(3) : one)).join(" "));
      if (state.share instanceof Error) throw state.share;
      return given[0] === "heapShare" ? state.share : state.full;
    },
  };
  const guard = new MemoryGuard(
    cells as never,
    1,
    () => state.cell,
    () => void asked.push("ends the cell"),
  );
  const after = async (name: string, change: Partial<typeof state> = {}, milliseconds = 50) => {
    Object.assign(state, change);
    t.mock.timers.tick(milliseconds);
    await turn();
    calls.note(name, [taken(asked), taken(opened)]);
  };
  await after("nothing runs");
  await after("a cell runs", { cell: "a" });
  await after("0.399", { share: 0.399 });
  await after("0.4", { share: 0.4 });
  await after("0.6", { share: 0.6 });
  await after("10 ms later", {}, 10);
  await after("0.61", { share: 0.61 }, 40);
  await after("10 ms later", {}, 10);
  await after("0.919", { share: 0.919 }, 10);
  await after("0.92 and all of it needed", { share: 0.92 }, 10);
  await after("once", {}, 10);
  await after("the cell is over", { cell: undefined }, 10);
  await after("another begins with as much", { cell: "b" }, 10);
  await after("0.939", { share: 0.939 }, 10);
  await after("0.94, mostly garbage", { share: 0.9401, full: false }, 10);
  await after("0.95, needed", { share: 0.95, full: true }, 10);
  await after("less again", { share: 0.3 }, 10);
  await after("later", {}, 50);
  await after("cannot be asked", { share: new Error("no") }, 50);
  await after("can again", { share: 0.5 }, 50);
  await after("nothing runs, and there is headroom", { cell: undefined }, 50);
  await after("and little is in use", { share: 0.1 }, 50);
  await after("nothing more is asked", {}, 50);
  guard.close();
  await after("closed", { cell: "c" }, 100);
  undo();
  const limits = new MemoryGuard(
    cells as never,
    1e15,
    () => "d",
    () => {},
  );
  await after("a process that has little", {}, 50);
  limits.close();
  calls.approve("kernel/watch/memory");
});

test("when code is told to stop is approved", async (t) => {
  const calls = new Calls();
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  for (const how of ["deaf", "listening", "native", "failing", "heard"] as const) {
    const log: string[] = [];
    let open = true;
    const stopper = new Stopper(createSignals());
    stopper.stop({
      isOpen: () => open,
      remind: () => void log.push("reminds"),
      hearing: async () => {
        log.push("asks");
        if (how === "native") return new Promise<never>(() => {});
        if (how === "failing") throw new Error("no");
        return how;
      },
      tell: (why) => void log.push(`tells ${why}`),
    });
    const times: string[] = [];
    for (let at = 0; at < 6600; at += 100) {
      if (how === "heard" && at === 1200) open = false;
      t.mock.timers.tick(100);
      await turn();
      if (log.length > 0) times.push(`${at + 100}: ${taken(log).join(", ")}`);
    }
    calls.note(how, times.slice(0, 3).concat(times.slice(-5)));
    calls.note("  in all", times.length);
  }
  calls.approve("kernel/watch/stopper");
});

test("processes that are waited for, and their ends, are approved", {
  skip: process.platform !== "linux",
}, async () => {
  const calls = new Calls();
  const childProcess = require("node:child_process") as typeof import("node:child_process");
  const signals = createSignals();
  const waits: unknown[] = [];
  const original = childProcess.execSync;
  const bystander = spawn("sleep", ["20"]);
  const undo = tellWaits(
    signals,
    ({ number, others }) => void waits.push([number, others.includes(bystander.pid!), signals[slot.wait]]),
  );
  const seen = () => signals[slot.wait];
  await calls.once("execSync", () => String(childProcess.execSync("echo a")));
  await calls.once("execFileSync", () => String(childProcess.execFileSync("echo", ["b"])));
  await calls.once("spawnSync", () => childProcess.spawnSync("sh", ["-c", "exit 3"]).status);
  await calls.once("execSync that fails", () => {
    try {
      childProcess.execSync("exit 4", { stdio: "ignore" });
    } catch (error) {
      return (error as { status: number }).status;
    }
    return "nothing";
  });
  calls.note("waits", waits);
  calls.note("none now", seen());
  undo();
  calls.note("undone", childProcess.execSync === original);
  const ended = (child: import("node:child_process").ChildProcess) =>
    new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
  const parent = spawn("sh", ["-c", "sleep 21 & echo started; wait"]);
  await new Promise((resolve) => parent.stdout.once("data", resolve));
  const end = ended(parent);
  signals[slot.wait] = 5;
  endWaitedFor(signals, { number: 4, others: [bystander.pid!] }, "SIGKILL");
  await sleep(30);
  calls.note("another wait's is left alone", [parent.signalCode, bystander.signalCode]);
  endWaitedFor(signals, { number: 5, others: [bystander.pid!] }, "SIGKILL");
  calls.note("this one's is ended", [await end, bystander.signalCode]);
  const last = ended(bystander);
  endTree(bystander.pid!, "SIGINT");
  calls.note("a tree", await last);
  await calls.once("a process that is gone", () => endTree(bystander.pid!, "SIGKILL"));
  calls.approve("kernel/watch/processes");
});

test("what a watching thread is told and tells is approved", async () => {
  const calls = new Calls();
  const signals = createSignals();
  const heard: string[] = [];
  const watch = new Watch(signals, { full: () => heard.push("full"), overdue: () => heard.push("overdue") });
  const { worker } = watch as unknown as { worker: import("node:worker_threads").Worker };
  const posted: unknown[] = [];
  const { postMessage } = worker;
  worker.postMessage = (message: unknown) => {
    posted.push(message);
    Reflect.apply(postMessage, worker, [message]);
  };
  watch.begin();
  watch.end();
  watch.begin(10_000);
  watch.waits({ number: 3, others: [1, 2] });
  watch.end();
  for (const message of ["full", "overdue"]) worker.emit("message", message);
  worker.emit("error", new Error("unheard"));
  calls.note("posted", posted);
  calls.note("heard", heard);
  watch.close();
  calls.approve("kernel/watch/watch");
});
