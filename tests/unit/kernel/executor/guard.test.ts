import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { guardProcess } from "../../../../src/kernel/executor/guard";

type Listener = (...values: unknown[]) => void;

/** Guards the process while the test runs, with no listeners but the test's; what is told of errors. */
function guarded(t: TestContext, name: "uncaughtException" | "unhandledRejection", listener: Listener) {
  const told: unknown[] = [];
  const others = process.rawListeners(name) as Listener[];
  process.removeAllListeners(name);
  process.on(name, listener);
  const restore = guardProcess({ error: (error) => void told.push(error) });
  t.after(() => {
    restore();
    process.removeAllListeners(name);
    for (const other of others) process.on(name, other);
  });
  return told;
}

for (const name of ["uncaughtException", "unhandledRejection"] as const) {
  test(`an ${name} that a package's listener throws again is one error, told once`, (t) => {
    const told = guarded(t, name, (error) => {
      throw error;
    });
    const error = new Error("nobody caught this");
    assert.equal(Reflect.apply(process.emit, process, [name, error]), true);
    assert.deepEqual(told, [error]);
  });

  test(`another error that a package's listener throws at an ${name} is told too`, (t) => {
    const other = new Error("the listener's own");
    const told = guarded(t, name, () => {
      throw other;
    });
    const error = new Error("nobody caught this");
    Reflect.apply(process.emit, process, [name, error]);
    assert.deepEqual(told, [error, other]);
  });
}

test("who captures what nobody caught is called after the kernel has taken it, and what it throws counts too", () => {
  const [taken, given]: [unknown[], unknown[]] = [[], []];
  let set: unknown;
  const original = process.setUncaughtExceptionCaptureCallback;
  process.setUncaughtExceptionCaptureCallback = (capture) => {
    set = capture;
  };
  const undo = guardProcess({ error: (error) => void taken.push(error) });
  try {
    const [first, second] = [new Error("first"), new Error("thrown by the one who captures")];
    process.setUncaughtExceptionCaptureCallback((error) => {
      given.push(error);
      throw second;
    });
    (set as (error: Error) => void)(first);
    assert.deepEqual([taken, given], [[first, second], [first]]);
    process.setUncaughtExceptionCaptureCallback(null);
    assert.equal(set, null);
  } finally {
    undo();
    process.setUncaughtExceptionCaptureCallback = original;
  }
});

test("who puts back what was read of the process's events has each told once, and all is Node's own afterwards", () => {
  const exits: number[] = [];
  const { emit, setUncaughtExceptionCaptureCallback: capture } = process;
  const undo = guardProcess({ error: () => {}, exit: (code) => void exits.push(code) });
  try {
    const read = process.emit;
    process.emit = read;
    let heard = 0;
    process.once("luvit test" as never, () => void heard++);
    assert.equal(Reflect.apply(process.emit, process, ["luvit test"]), true);
    assert.equal(heard, 1);
    const others = process.rawListeners("exit");
    process.removeAllListeners("exit");
    Reflect.apply(process.emit, process, ["exit", 4]);
    for (const other of others) process.on("exit", other as () => void);
    assert.deepEqual(exits, [4]);
  } finally {
    undo();
  }
  assert.deepEqual([process.emit, process.setUncaughtExceptionCaptureCallback], [emit, capture]);
  assert.equal(Object.hasOwn(process, "emit"), false);
});
