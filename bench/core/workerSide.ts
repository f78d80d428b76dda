import { connect } from "node:net";
import { createInterface } from "node:readline";
import type { Answer } from "./workerJob";

/** The worker's end of a job: does what it is told until the socket is closed, then leaves. */
export function serve(
  port: number,
  tasks: Readonly<Record<string, () => Promise<Answer>>>,
  leave: () => Promise<void>,
): void {
  const socket = connect(port, "127.0.0.1");
  createInterface(socket)
    .on("line", async (task) => socket.write(`${JSON.stringify(await tasks[task]())}\n`))
    .on("close", () => {
      void leave().then(() => process.exit(0));
    });
}

/** How long something takes, milliseconds. */
export async function took(body: () => Promise<unknown>): Promise<{ ms: number }> {
  const started = performance.now();
  await body();
  return { ms: performance.now() - started };
}
