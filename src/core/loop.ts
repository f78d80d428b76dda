/** Lets timers, signals and messages have their turn; long loops await it every step. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
