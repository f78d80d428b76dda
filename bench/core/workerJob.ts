import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { LuvitError } from "../../src/core/errors";

/** What a worker answers. */
export type Answer = Record<string, number | string>;

/**
 * Workers that the launcher has started and that do what they are told over a socket: between two tasks none of them waits in
 * MPI, where it would take the processor from what is measured beside it.
 */
export class WorkerJob {
  private readonly waiting = new Map<Socket, (answer: Answer) => void>();

  private constructor(
    private readonly child: ChildProcess,
    private readonly server: Server,
    private readonly sockets: readonly Socket[],
  ) {}

  /** Starts `size` processes of a script with these words and the port as the last one; one alone has no launcher. */
  static async start(
    script: string,
    size: number,
    words: readonly string[],
    launcher: readonly string[] = [],
  ): Promise<WorkerJob> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const program = [process.execPath, script, ...words, String(port)];
    const mpirun = [process.env.MPIEXEC || "mpirun", "-n", `${size}`, ...launcher];
    const [command, ...rest] = size === 1 ? program : [...mpirun, ...program];
    const child = spawn(command, rest, {
      env: { ...process.env, ...launching },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (text) => (said += text));
    const sockets: Socket[] = [];
    await new Promise<void>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (status) =>
        reject(new LuvitError("engine", `${command} ended with ${status}\n${said}`)),
      );
      server.on("connection", (socket) => sockets.push(socket) === size && resolve());
    });
    const job = new WorkerJob(child, server, sockets);
    for (const socket of sockets)
      createInterface(socket).on("line", (line) => job.waiting.get(socket)?.(JSON.parse(line) as Answer));
    child.removeAllListeners("exit");
    child.on("exit", () => {
      if (said.trim() && child.exitCode !== 0) console.error(said.trim());
    });
    return job;
  }

  /** All do the same at once; their answers in no order. */
  ask(task: string): Promise<Answer[]> {
    return Promise.all(
      this.sockets.map(
        (socket) =>
          new Promise<Answer>((resolve, reject) => {
            this.waiting.set(socket, resolve);
            socket.once("close", () => reject(new LuvitError("engine", `a worker has gone at "${task}"`)));
            socket.write(`${task}\n`);
          }),
      ),
    );
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.child.on("close", resolve));
    for (const socket of this.sockets) socket.end();
    this.server.close();
    await ended;
  }
}

/** Open MPI refuses root, whom containers run as, and more workers than cores, unless it is told; waiting workers give way. */
const launching = {
  OMPI_ALLOW_RUN_AS_ROOT: "1",
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
  OMPI_MCA_rmaps_base_oversubscribe: "1",
  OMPI_MCA_mpi_yield_when_idle: "1",
};
