type Emit = typeof process.emit;

/** What the kernel does about the process's own events. */
export interface GuardHooks {
  /** Takes what nobody has caught. */
  error(error: unknown): void;
  /** Called first thing when the process is about to end. */
  exit?(code: number): void;
}

/** Events at which a throwing listener ends the process. */
const faults = new Set<string | symbol>([
  "uncaughtException",
  "uncaughtExceptionMonitor",
  "unhandledRejection",
]);

/**
 * Keeps the process alive when nobody catches an error, whatever packages do to the process's events: their listeners
 * (those of tfjs's wasm backend throw again) are called as Node would, but what they throw, remove or put in their
 * place does not count. Returns what undoes it.
 */
export function guardProcess(hooks: GuardHooks): () => void {
  const own = Object.getOwnPropertyDescriptor(process, "emit");
  const bases = new WeakMap<Emit, Emit>();
  const guard = (base: Emit): Emit => {
    const emit = ((name: string | symbol, ...values: unknown[]) => {
      if (name === "exit") hooks.exit?.(Number(values[0] ?? 0));
      if (faults.has(name)) return takeFault(name, values, hooks);
      return Reflect.apply(base, process, [name, ...values]) as boolean;
    }) as Emit;
    bases.set(emit, base);
    return emit;
  };
  let guarded = guard(process.emit);
  Object.defineProperty(process, "emit", {
    configurable: true,
    get: () => guarded,
    set: (emit: Emit) => {
      guarded = guard(bases.get(emit) ?? emit); // what was read here may be called by what is put here
    },
  });
  const restoreCapture = guardCapture(hooks);
  return () => {
    restoreCapture();
    if (own) Object.defineProperty(process, "emit", own);
    else Reflect.deleteProperty(process, "emit");
  };
}

function takeFault(name: string | symbol, values: readonly unknown[], hooks: GuardHooks): true {
  if (name !== "uncaughtExceptionMonitor") hooks.error(values[0]);
  for (const listener of process.rawListeners(name)) callSafely(listener, values, hooks);
  return true;
}

function callSafely(listener: unknown, values: readonly unknown[], hooks: GuardHooks): void {
  try {
    Reflect.apply(listener as () => void, process, values);
  } catch (error) {
    if (error !== values[0]) hooks.error(error);
  }
}

/** The one function that Node asks before it emits anything. */
function guardCapture(hooks: GuardHooks): () => void {
  const original = process.setUncaughtExceptionCaptureCallback;
  process.setUncaughtExceptionCaptureCallback = (capture) => {
    const safely = (error: Error) => {
      hooks.error(error);
      callSafely(capture, [error], hooks);
    };
    Reflect.apply(original, process, [typeof capture === "function" ? safely : capture]);
  };
  return () => {
    process.setUncaughtExceptionCaptureCallback = original;
  };
}
