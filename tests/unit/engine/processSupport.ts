import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { type OpenEngine, openInEngineProcess, stopEngineProcesses } from "../../../src/engine";
import type { Graph } from "../../../src/graph/ir";
import { GraphWriter } from "./support";

export const openInProcess: OpenEngine = (programs, options) =>
  openInEngineProcess("onnxruntime", programs, options);

const scripts = new Set<ChildProcess>();

/** At the end of a test file; scripts of tests that have failed among them. */
export function stopProcessesAfterwards(): void {
  after(async () => {
    for (const child of scripts) child.kill("SIGKILL");
    await stopEngineProcesses();
  });
}

/** y = x * w, and w grows by y. */
export function growingProduct(length = 4): Graph {
  const g = new GraphWriter();
  const [x, w] = [g.input("x", [length]), g.state("w", [length])];
  const [y] = g.node("Multiply", { a: x, b: w }, [{ shape: [length] }]);
  g.output("y", y);
  g.output("w", g.node("Add", { a: w, b: y }, [{ shape: [length] }])[0]);
  return g.finish("growing product");
}

/** `count` products of square matrices, one after the other; each takes about 2 size³ operations. */
export function longProduct(size: number, count: number): Graph {
  const g = new GraphWriter();
  const [x, w] = [g.input("x", [size, size]), g.state("w", [size, size])];
  const attributes = { transposeA: false, transposeB: false };
  let y = x;
  for (let i = 0; i < count; i++)
    [y] = g.node("BatchMatMul", { a: y, b: w }, [{ shape: [size, size] }], attributes);
  g.output("sum", g.node("Sum", { x: y }, [{ shape: [] }], { axis: [0, 1], keepDims: false })[0]);
  return g.finish("long product");
}

/** State entries of `megabytes` each, that one program changes. */
export function largeState(count: number, megabytes: number): Graph {
  const g = new GraphWriter();
  const one = g.constant(Float32Array.of(1), [megabytes * 2 ** 18]);
  for (let i = 0; i < count; i++) {
    const entry = g.state(`large.${i}`, [megabytes * 2 ** 18]);
    g.output(`large.${i}`, g.node("Add", { a: entry, b: one }, [{ shape: [megabytes * 2 ** 18] }])[0]);
  }
  return g.finish("large state");
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Until a condition holds; false when it does not in time. */
export async function eventually(holds: () => boolean, withinMs = 10_000): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    if (holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return holds();
}

interface Script {
  child: ChildProcess;
  /** The next line it prints. */
  line(): Promise<string>;
  /** The same, after sending it a line. */
  ask(): Promise<string>;
}

/** A script of the tests as a process and process group of its own. */
export function startScript(...args: string[]): Script {
  const child = spawn(process.execPath, [join(__dirname, "processParent.js"), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  scripts.add(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value;
  const ask = () => {
    child.stdin!.write("\n");
    return line();
  };
  return { child, line, ask };
}
