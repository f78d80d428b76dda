/**
 * Numbers that the thread of the protocol and the thread of the cells share, by their place in an `Int32Array`. The
 * cells' thread may be busy for long; this is how it is reached.
 */
export const slot = {
  /** Above 0 while loops must ask whether to go on. Compiled cells read it as element 0. */
  stop: 0,
  /** What the cells' thread is in: see `segment`. */
  segment: 1,
  /** How many interrupts were asked for. */
  request: 2,
  /** The last interrupt that the cells' thread has taken. */
  heard: 6,
  /** Set when the protocol's thread has sent all it was given. */
  drained: 3,
  /** Bytes of output given to the protocol's thread and not yet sent. */
  outstanding: 4,
  /** Set when an answer to `prompt()` waits. */
  answered: 5,
  /** How far the stopping of the cells' thread by another one is: see `termination`. */
  termination: 7,
  /** The number of the wait for a process that the cells' thread is in, 0 for none. */
  wait: 8,
} as const;

/** States of the part of a cell that runs before its first `await`, the only one a SIGINT can end. */
export const segment = { none: 0, interruptible: 1, signalled: 2 } as const;

/** States of the cells' thread while it is stopped: it waits for that, somebody does it, the request is on its way. */
export const termination = { none: 0, wanted: 1, taken: 2, sent: 3 } as const;

/** Numbers for one kernel. */
export function createSignals(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * Object.keys(slot).length));
}
