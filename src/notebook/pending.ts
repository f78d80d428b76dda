const place = Symbol.for("luvit.displays.pending");
const shared = globalThis as unknown as Record<symbol, Set<Promise<void>> | undefined>;

/**
 * Displays whose content is still being made, by the promise of their end. One set on the global object: the kernel and
 * the library a notebook imports may be two copies.
 */
const pending = shared[place] ?? new Set();
shared[place] = pending;

/** Remembers a display until it is finished. */
export function trackDisplay(display: Promise<void>): Promise<void> {
  pending.add(display);
  const forget = () => pending.delete(display);
  display.then(forget, forget);
  return display;
}

/** Whether a value is the promise of an unfinished display; such a value says nothing itself. */
export function isPendingDisplay(value: unknown): boolean {
  return pending.has(value as Promise<void>);
}

/** Waits until everything shown so far is there; rejects with the first failure. */
export async function displaysFinished(): Promise<void> {
  await Promise.all(pending);
}
