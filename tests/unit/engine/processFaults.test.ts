import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { test } from "node:test";
import { EngineProcess } from "../../../src/engine/process/engineProcess";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

/** With descriptors beyond the third, which Node has on other systems only. */
const posix = { skip: process.platform === "win32" ? "needs inherited descriptors" : false };

const hang = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";

/** An engine process in which a script runs before anything else. */
function processWith(script: string, environment: Record<string, string> = {}): EngineProcess {
  const path = join(temporaryFolder(), "script.cjs");
  writeFileSync(path, `const fs = require("node:fs"); ${script}`);
  return new EngineProcess("onnxruntime", { ...environment, NODE_OPTIONS: `--require ${path}` });
}

/** How a process with that script ends while it is asked for something. */
async function endOf(script: string, environment?: Record<string, string>): Promise<Error> {
  const started = processWith(script, environment);
  return started.ask("do it", { act: "leave" }).then(
    () => assert.fail("it answered"),
    (error) => error,
  );
}

test("why a process ended is told by what it did, not by how it was ended then", posix, async () => {
  for (const [script, told] of [
    ["process.exit(7);", /died: exited with code 7\. It was to do it\./],
    ['process.kill(process.pid, "SIGTERM"); for (;;);', /died: ended by SIGTERM\. It was to do it\./],
    [
      `fs.writeSync(3, Buffer.alloc(64, 255)); ${hang}`,
      /died: its messages cannot be read \(.+\)\. It was to do it\./,
    ],
    // A channel that is closed is no reason: the process has one of its own, and is given the time to tell.
    [
      'fs.closeSync(3); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30); fs.writeSync(2, "why"); process.exit(9);',
      /died: exited with code 9\. It was to do it\..*\nLast lines it wrote:\nwhy$/s,
    ],
  ] as const) {
    const error = await endOf(script);
    assert.ok(isLuvitError("engine-died", "the onnxruntime engine process (pid ")(error));
    assert.match(error.message, told);
  }
});

const childOf = (started: EngineProcess) => (started as unknown as { child: ChildProcess }).child;

test("a process that is sent what is no frame says so and ends by itself", posix, async () => {
  const started = new EngineProcess("onnxruntime", {});
  const asked = started.ask("do it", { act: "leave" }).catch((error: Error) => error);
  (childOf(started).stdio[3] as Writable).write(Buffer.alloc(64, 255));
  // "do it" has been answered or not: it was sent before.
  await asked;
  const error = await started.ask("do more", { act: "leave" }).catch((reason: Error) => reason);
  assert.match(
    (error as Error).message,
    /died: exited with code 1\..*\nLast lines it wrote:\n(.*\n)*.*malformed frame: it begins with f{16}/s,
  );
});

test("a process whose lifeline or channel is closed is gone without a word", posix, async () => {
  for (const descriptor of [0, 3]) {
    const child = childOf(new EngineProcess("onnxruntime", {}));
    let words = "";
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (text) => (words += text));
    child.ref();
    (child.stdio[descriptor] as Writable).destroy();
    const [code, signal] = await once(child, "exit");
    assert.deepEqual([code, signal, words], [null, "SIGKILL", ""]);
  }
});

test("what a process wrote to either stream is told when it has ended", posix, async () => {
  for (const fd of [1, 2])
    assert.match(
      (await endOf(`fs.writeSync(${fd}, "said\\n"); process.exit(1);`)).message,
      /\nLast lines it wrote:\nsaid$/,
    );
});

test("a launcher's descriptor is the process's fourth", posix, async () => {
  const path = join(temporaryFolder(), "launcher");
  writeFileSync(path, "from the launcher");
  const fd = openSync(path, "r");
  try {
    const script =
      'fs.writeSync(2, process.env.PMI_FD + ": " + fs.readFileSync(4, "utf8")); process.exit(1);';
    assert.match((await endOf(script, { PMI_FD: `${fd}` })).message, /\n4: from the launcher$/);
  } finally {
    closeSync(fd);
  }
});

test("everybody who waits for a process that dies is told, each with an error of his own, and later ones too", async () => {
  const started = processWith(hang);
  started.executors.add(3);
  const asked = ["do one thing", "do another"].map((task) => started.ask(task, { act: "leave" }));
  const errors = Promise.all(asked.map((one) => one.catch((error: Error) => error))) as Promise<Error[]>;
  assert.equal(started.alive, true);
  process.kill(started.pid!, "SIGKILL");
  const [one, other] = await errors;
  assert.ok(
    isLuvitError("engine-died", `pid ${started.pid}`, "SIGKILL", "do one thing, then do another.")(one),
  );
  assert.equal(other.message, one.message);
  assert.notEqual(other, one);
  if (existsSync("/proc/self/status"))
    assert.match(one.message, / Its memory was last \d+\.\d\d GiB, at most \d+\.\d\d GiB\. /);
  assert.deepEqual([started.alive, started.executors.size], [false, 0]);
  const late = await started.ask("more", { act: "leave" }).catch((error: Error) => error);
  assert.equal((late as Error).message, one.message);
  assert.ok(late !== one && late !== other);
});

test("a process that is stopped is not alive from then on, and says so to those who wait", async () => {
  const started = processWith(hang);
  const asked = assertRejects(
    () => started.ask("do it", { act: "leave" }),
    "engine",
    `the onnxruntime engine process (pid ${started.pid}) was stopped`,
  );
  const stopped = started.stop();
  assert.equal(started.alive, false);
  await stopped;
  assert.throws(() => process.kill(started.pid!, 0), "it is gone when stopping has ended");
  await asked;
});

test("a process that cannot be started is named with the reason", async () => {
  const { execPath } = process;
  process.execPath = join(temporaryFolder(), "no", "node");
  const started = new EngineProcess("tensorflow", {});
  process.execPath = execPath;
  assert.equal(started.pid, undefined);
  await assertRejects(
    () => started.ask("do it", { act: "leave" }),
    "engine-died",
    /^the tensorflow engine process \(pid none\) died: it could not be started \(spawn .*ENOENT\)\. It was to do it\./,
  );
  assert.equal(started.alive, false);
});

test("an error of the process tells what it could not do, and the next question is answered", async () => {
  const started = new EngineProcess("onnxruntime", {});
  const broken = { act: "open", executor: 1, programs: null, options: {} } as never;
  await assertRejects(
    () => started.ask("open it", broken),
    "engine",
    /^the onnxruntime engine process \(pid \d+\) could not open it: TypeError: /,
  );
  await assertRejects(
    () => started.ask("leave", { act: "leave" }),
    "engine",
    /^leave: this process has joined no/,
  );
  await started.stop();
});
