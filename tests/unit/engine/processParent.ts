/*
 * A process that uses an engine process: node processParent.js <mode>. Prints the engine's process id. Modes: "idle" then
 * waits for ever; "busy" is in the middle of a long run; "ends" has nothing left to do; "interrupted" runs
 * once more at every SIGINT. "gaps" uses none: for every line it is sent it prints the longest gap, in ms, between two
 * turns of its event loop since the line before. "hungry" says "ready", waits for a line, uses more and more memory, and prints what came of it.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { engineProcesses } from "../../../src/engine";
import { growingProduct, largeState, longProduct, openInProcess } from "./processSupport";

function reportGaps(): void {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.stdin.on("data", () => {
    console.log((delay.max / 1e6).toFixed(1));
    delay.reset();
  });
}

/** State of a gigabyte, one entry after the other. */
async function eatMemory(): Promise<void> {
  const executor = await openInProcess({ large: { graph: largeState(20, 50) } }, { threads: 1 });
  const values = new Float32Array(50 * 2 ** 18).fill(1);
  for (let i = 0; i < 20; i++) await executor.writeState({ [`large.${i}`]: values });
}

function reportHunger(): void {
  console.log("ready");
  process.stdin.once("data", () => {
    eatMemory().then(
      () => console.log("survived"),
      (error) => console.log(error.message.replaceAll("\n", " ")),
    );
  });
}

async function main(mode: string): Promise<void> {
  if (mode === "gaps") return reportGaps();
  if (mode === "hungry") return reportHunger();
  const executor = await openInProcess({ tiny: { graph: growingProduct() } }, { threads: 1 });
  await executor.writeState({ w: new Float32Array(4) });
  await executor.run("tiny", { x: new Float32Array(4) });
  if (mode === "busy") {
    const size = 1024;
    const long = await openInProcess({ long: { graph: longProduct(size, 2000) } }, { threads: 1 });
    await long.writeState({ w: new Float32Array(size * size) });
    void long.run("long", { x: new Float32Array(size * size) }).then(() => console.log("finished"));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  if (mode === "interrupted") {
    process.on("SIGINT", async () =>
      console.log((await executor.run("tiny", { x: new Float32Array(4) })).y.length),
    );
  }
  console.log(engineProcesses()[0].pid);
  if (mode !== "ends") setInterval(() => undefined, 1000);
}

void main(process.argv[2]);
