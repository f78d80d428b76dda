import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { LuvitError } from "../../src/core/errors";
import { packageRoot } from "../../src/core/packageRoot";

interface Peer {
  readonly child: ChildProcess;
  readonly lines: Interface;
}

/** Two processes that send each other so many bytes at once, by raw TCP over the loopback; compiled when it is asked for. */
export class TcpPeers {
  private constructor(
    private readonly folder: string,
    private readonly peers: readonly Peer[],
  ) {}

  static async start(bytes: number): Promise<TcpPeers> {
    const folder = mkdtempSync(join(tmpdir(), "luvit-bench-tcp-"));
    const program = join(folder, "tcp");
    const source = join(packageRoot(), "bench", "peer", "tcp.cc");
    const flags = ["-O3", "-std=c++17", "-pthread", "-o", program, source];
    const built = spawnSync(process.env.CXX || "c++", flags);
    if (built.status !== 0)
      throw new LuvitError("engine", `bench: the compiler failed: ${built.stderr ?? built.error}`);
    const listening = start(program, [String(bytes)]);
    const port = (await next(listening)).replace("port ", "");
    return new TcpPeers(folder, [listening, start(program, [String(bytes), port])]);
  }

  /** Milliseconds until both have sent and received all. */
  async exchange(): Promise<number> {
    const answers = this.peers.map(next);
    for (const { child } of this.peers) child.stdin!.write("go\n");
    const times = (await Promise.all(answers)).map((line) => Number(line.replace("ms ", "")));
    return Math.max(...times);
  }

  async end(): Promise<void> {
    for (const { child } of this.peers) child.stdin!.end();
    await Promise.all(this.peers.map(({ child }) => new Promise((resolve) => child.on("close", resolve))));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function start(program: string, words: readonly string[]): Peer {
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  return { child, lines: createInterface(child.stdout!) };
}

const next = ({ lines }: Peer) => new Promise<string>((resolve) => lines.once("line", resolve));
