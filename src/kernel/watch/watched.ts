import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { slot, termination } from "../signals";

/** What another thread may ask the thread of the cells while it computes. */
export interface Watched {
  /** What it makes of an interrupt: heard, or not because its code computes, that of a library that listens for it or not. */
  hears(request: number): Hearing;
  /** Whether the running cell's time is over. */
  isOverdue(): boolean;
  /**
   * Whether a cell's own code runs, and neither the compiler, which must not be stopped half-way, nor what comes after
   * the code: stopped there, the cell would never be answered.
   */
  isInCode(): boolean;
}

/** What has become of an interrupt. */
export type Hearing = "heard" | "listening" | "deaf";

/**
 * A question, and what it is about: the number of an interrupt (answered with its `Hearing`, and the code is stopped if
 * that is deaf), none (whether the code was stopped because its time is over), none (the share of the memory in use), a
 * share (whether the code was stopped because more is in use).
 */
export type Asked =
  | [name: "hears", request: number]
  | [name: "isOverdue"]
  | [name: "heapShare"]
  | [name: "isFull", share: number];

const place = "luvit.kernel.watched";

/** Milliseconds that code waits to be stopped before it goes on, as where the thread that asked has ended. */
const patience = 5000;

/** Lets other threads ask this one; returns what ends it. `signals` are those of the threads that ask. */
export function letWatch(watched: Watched, signals: Int32Array): () => void {
  const key = Symbol.for(place);
  const clearStack = stackCleaner();
  /** Stops the code that is below `answer` on the stack, if that may be; without a way to clean up it never may. */
  const stop = () => {
    if (!clearStack || !watched.isInCode() || isIdle(answer) || !terminates(signals)) return false;
    clearStack();
    return true;
  };
  const answer = (...[name, value]: Asked) => {
    if (name === "heapShare") return heapShare();
    if (name === "isFull") return watched.isInCode() && isFull(value) && stop();
    if (name === "isOverdue") return watched.isOverdue() && stop();
    const hearing = watched.hears(value);
    return hearing === "deaf" && !stop() ? "heard" : hearing;
  };
  Object.defineProperty(globalThis, key, { configurable: true, value: answer });
  return () => Reflect.deleteProperty(globalThis, key);
}

/** A question as the text that asks it. */
export function question(...asked: Asked): string {
  return `globalThis[Symbol.for(${JSON.stringify(place)})]?.(...${JSON.stringify(asked)})`;
}

/** Bytes of V8's limit that only young objects may take. */
const youngBytes = 48 * 1024 * 1024;

let limit: number | undefined;

/** Bytes that this thread's JavaScript may have, young objects aside: before any headroom. */
export function heapLimit(): number {
  limit ??= getHeapStatistics().heap_size_limit - youngBytes;
  return limit;
}

/** Share of the memory for JavaScript that is in use, garbage included. */
function heapShare(): number {
  return getHeapStatistics().used_heap_size / heapLimit();
}

let collect: (() => void) | undefined;
/** What a collection has to free at the least: with less, it would be asked for again and again. */
const NEARLY = 0.01;

/**
 * Whether more than this share is really needed: a cell that has just let go of what is large would be ended for what nobody
 * has collected yet.
 */
function isFull(share: number): boolean {
  if (heapShare() < share) return false;
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  return heapShare() >= share - NEARLY;
}

/**
 * Waits until the thread that asks has sent the request that stops this one, which is served as soon as the question is
 * answered: whatever was decided here cannot hit what comes later. Not by `Atomics.wait`, in which the code may be.
 */
function terminates(signals: Int32Array): boolean {
  const { none, wanted, sent } = termination;
  const until = Date.now() + patience;
  Atomics.store(signals, slot.termination, wanted);
  while (Atomics.load(signals, slot.termination) !== sent)
    if (Date.now() > until && Atomics.compareExchange(signals, slot.termination, wanted, none) === wanted)
      return false;
  Atomics.store(signals, slot.termination, none);
  return true;
}

/**
 * Whether nothing but the question that `asked` answers is on the stack: the thread waits for events, and what is asked
 * of it reaches it as one. Stopping it would hit the event.
 */
function isIdle(asked: (...values: never[]) => unknown): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 2; // the question's text itself, and what is below it
    Error.prepareStackTrace = (_, sites) => sites.length;
    const trace: { stack?: number } = {};
    Error.captureStackTrace(trace, asked);
    return Number(trace.stack) < 2;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

/**
 * Code that is stopped from outside leaves Node's stack of async contexts as it was, and Node ends the process over
 * that: it has to be empty before. The function is one of Node's own for the same purpose; undefined where a version
 * of Node does not give it.
 */
function stackCleaner(): (() => void) | undefined {
  const { noDeprecation } = process;
  try {
    process.noDeprecation = true; // this asks for something internal, on purpose
    const { binding } = process as unknown as { binding(name: string): { clearAsyncIdStack?: () => void } };
    return binding.call(process, "async_wrap").clearAsyncIdStack;
  } catch {
    return undefined;
  } finally {
    process.noDeprecation = noDeprecation;
  }
}
