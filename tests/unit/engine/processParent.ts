/*
 * A process that uses an engine process: node processParent.js <mode>. Prints the engine's process id. Modes: "idle" then
 * waits for ever; "busy" is in the middle of a long run; "ends" has nothing left to do; "interrupted" runs
 * once more at every SIGINT. "gaps" uses none: for every line it is sent it prints the longest gap, in ms, between two
 * turns of its event loop since the line before.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { engineProcesses } from "../../../src/engine";
import { growingProduct, longProduct, openInProcess } from "./processSupport";

function reportGaps(): void {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.stdin.on("data", () => {
    console.log((delay.max / 1e6).toFixed(1));
    delay.reset();
  });
}

async function main(mode: string): Promise<void> {
  if (mode === "gaps") return reportGaps();
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
  console.log(engineProcesses()[0].pid);
  if (mode === "interrupted") {
    process.on("SIGINT", async () =>
      console.log((await executor.run("tiny", { x: new Float32Array(4) })).y.length),
    );
  }
  if (mode !== "ends") setInterval(() => undefined, 1000);
}

void main(process.argv[2]);
