import { dirname, join } from "node:path";
import vm from "node:vm";
import { segment, slot } from "../signals";
import { leaveSegment } from "./interrupts";

const handover = Symbol.for("luvit.kernel.segment");
const startSegment = new vm.Script('globalThis[Symbol.for("luvit.kernel.segment")]()', {
  filename: "luvit-kernel-segment.js",
});

/** Compiles a cell's code into a function of `given`'s names; not as a script, of which Node keeps a part for good. */
export function cellFunction(
  code: string,
  cell: string,
  awaits: boolean,
  given: readonly string[],
): (...values: unknown[]) => unknown {
  if (!awaits)
    return vm.compileFunction(code, given, { filename: cell }) as (...values: unknown[]) => unknown;
  const text = `return async () => {\n${code}\n};`;
  const make = vm.compileFunction(text, given, { filename: cell, lineOffset: -1 });
  return (...values) => (make(...values) as () => Promise<unknown>)();
}

/** What cells see of a module file's own names. */
export function moduleNames(folder: string, exports: object): Record<string, unknown> {
  const filename = join(folder, "cell.ts");
  return { exports, module: { exports, filename }, __filename: filename, __dirname: dirname(filename) };
}

/** Listeners of SIGINT that Node has put aside while the part of a cell before its first `await` runs. */
let putAside: readonly NodeJS.SignalsListener[] | undefined;

/** Runs the part of a cell before its first `await` such that a SIGINT ends it. */
export function runInterruptibly(signals: Int32Array, run: () => unknown): unknown {
  const before = sigintListeners();
  putAside = before;
  Object.defineProperty(globalThis, handover, {
    configurable: true,
    value: () => {
      Atomics.store(signals, slot.segment, segment.interruptible);
      try {
        return run();
      } finally {
        leaveSegment(signals);
      }
    },
  });
  try {
    return startSegment.runInThisContext({ breakOnSigint: true, displayErrors: false });
  } finally {
    putAside = undefined;
    Atomics.store(signals, slot.segment, segment.none);
    rearmSigint(before);
  }
}

/** What `runInterruptibly` does at its end, for code that was stopped from another thread: nothing else of it ran. */
export function afterTermination(signals: Int32Array): void {
  if (!putAside) return;
  const added = sigintListeners();
  process.removeAllListeners("SIGINT");
  for (const listener of [...putAside, ...added]) process.on("SIGINT", listener);
  putAside = undefined;
  Atomics.store(signals, slot.segment, segment.none);
}

/** Whether an error is Node's for code that a SIGINT ended. */
export function isSigint(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
}

/**
 * Node runs this part with its own Ctrl-C handler and afterwards puts the default one in place, also over listeners
 * that the cell has just added: the next Ctrl-C would end the process. Adding all of them again arms them.
 */
function rearmSigint(before: readonly NodeJS.SignalsListener[]): void {
  const added = sigintListeners().filter((listener) => !before.includes(listener));
  if (added.length === 0) return;
  process.removeAllListeners("SIGINT");
  for (const listener of [...before, ...added]) process.on("SIGINT", listener);
}

function sigintListeners(): NodeJS.SignalsListener[] {
  return process.rawListeners("SIGINT") as NodeJS.SignalsListener[];
}
