import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Channel } from "./channel";
import type { ProcessEngine } from "./engines";
import { EngineHost } from "./host";

/*
 * The engine process: node main.js <engine>. Descriptor 0 is a lifeline, 3 carries frames; both close when the process
 * that started this one is gone, however it went.
 */

const exitNow = () => process.kill(process.pid, "SIGKILL");

function serve(engine: ProcessEngine): void {
  new Worker(join(__dirname, "lifeline.js")).on("error", (error) => {
    console.error(error);
    exitNow();
  });
  const host = new EngineHost(engine);
  const channel = Channel.onDescriptor(3, {
    onFrame: (frame) => void host.answer(frame).then((answer) => channel.send(answer)),
    onEnd: (error) => {
      // Not by process.exit, in which WebGPU's device is torn down under sessions that still hold it.
      if (!error) exitNow();
      console.error(error);
      process.exit(1);
    },
  });
}

serve(process.argv[2] as ProcessEngine);
