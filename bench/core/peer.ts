import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { LuvitError } from "../../src/core/errors";
import { packageRoot } from "../../src/core/packageRoot";
import { memoryOfTree } from "./memory";

const python = process.env.LUVIT_PYTHON ?? "python3";

/** Why Python code that needs these modules cannot run here; undefined if it can. */
export function peerProblem(modules: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync(python, ["-c", `import ${modules.join(", ")}`], {
    encoding: "utf8",
  });
  if (status === 0) return undefined;
  const reason = error?.message ?? stderr.trim().split("\n").at(-1);
  return `${python} cannot import ${modules.join(", ")} (${reason}); LUVIT_PYTHON names another Python`;
}

/** A run of the peer: its own time and what came out. */
export interface PeerRun {
  ms: number;
  result: number;
}

/** A Python process that does one run whenever it is told to, and waits meanwhile. */
export class Peer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  /** Starts a script of bench/peer with a job; gives back what it says of itself. */
  static async start<Hello>(script: string, job: Readonly<Record<string, unknown>>): Promise<[Peer, Hello]> {
    const path = join(packageRoot(), "bench", "peer", script);
    const child = spawn(python, [path], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.on("error", () => {}); // the answer that does not come says it
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const peer = new Peer(child, lines);
    return [peer, await peer.ask<Hello>(JSON.stringify({ threads: availableParallelism(), ...job }))];
  }

  get pid(): number {
    return this.child.pid!;
  }

  run(): Promise<PeerRun> {
    return this.ask("run");
  }

  /** @throws LuvitError("engine") when the process has ended. */
  async ask<Answer>(command: string): Promise<Answer> {
    this.child.stdin!.write(`${command}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new LuvitError("engine", "the Python peer ended early; its message stands above");
    return JSON.parse(value) as Answer;
  }

  peakMegabytes(): number {
    return memoryOfTree(this.pid).peak;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return resolve();
      this.child.once("close", () => resolve());
      this.child.stdin!.end();
    });
  }
}
