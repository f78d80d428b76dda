/** The global symbol's name under which the `Debuggee` is. */
export const debuggeePlace = "luvit.kernel.debuggee";

/** The text by which another thread's debugger reaches it. */
export const debuggee = `globalThis[Symbol.for("${debuggeePlace}")]`;
