import { getHeapStatistics } from "node:v8";

/** What another thread may ask the thread of the cells while it computes. */
export interface Watched {
  /** What it makes of an interrupt: heard, or not because its code computes, that of a library that listens for it or not. */
  hears(request: number): Hearing;
  /** Whether the running cell's time is over. */
  isOverdue(): boolean;
  /** Whether a cell's own code runs, and not the compiler, which must not be stopped half-way. */
  isInCode(): boolean;
}

/** What has become of an interrupt. */
export type Hearing = "heard" | "listening" | "deaf";

type Question = keyof Watched | "heapShare" | "clearStack";

const place = "luvit.kernel.watched";

/** Lets other threads ask this one; returns what ends it. */
export function letWatch(watched: Watched): () => void {
  const key = Symbol.for(place);
  const clearStack = stackCleaner();
  const answers: Record<Question, (...values: never[]) => unknown> = {
    // Without a way to clean up, code is never stopped.
    hears: (request: number) => (clearStack && watched.isInCode() ? watched.hears(request) : "heard"),
    isOverdue: () => clearStack !== undefined && watched.isInCode() && watched.isOverdue(),
    isInCode: () => clearStack !== undefined && watched.isInCode(),
    heapShare,
    clearStack: () => clearStack?.(),
  };
  Object.defineProperty(globalThis, key, { configurable: true, value: answers });
  return () => Reflect.deleteProperty(globalThis, key);
}

/** A question as the text that asks it. */
export function question(name: Question, ...values: readonly number[]): string {
  return `globalThis[Symbol.for(${JSON.stringify(place)})]?.${name}(${values.join(", ")})`;
}

/** Bytes of V8's limit that only young objects may take. */
const youngBytes = 48 * 1024 * 1024;

/** Bytes that this thread's JavaScript may have, young objects aside. */
export function heapLimit(): number {
  return getHeapStatistics().heap_size_limit - youngBytes;
}

/** Share of the memory for JavaScript that is in use, garbage included. */
function heapShare(): number {
  return getHeapStatistics().used_heap_size / heapLimit();
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
