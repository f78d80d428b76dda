import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "../../support/temporaryFolder";
import { skip as noBrowser } from "../chromium";

/** The project's folder, from where this is compiled to. */
export const project = resolve(__dirname, "..", "..", "..", "..");

/** A Jupyter with a page for notebooks. */
export interface Jupyter {
  /** What is tested: JupyterLab, or the Jupyter Notebook of before version 7. */
  kind: "lab" | "classic";
  /** Name and version. */
  name: string;
  python: string;
}

/** Where to look: the Pythons that are named, and the one on the path. */
const pythons = [process.env.LUVIT_JUPYTER_PYTHON, process.env.LUVIT_NOTEBOOK_PYTHON, "python3"].filter(
  (one): one is string => !!one,
);

/** What was found, JupyterLab first; undefined where there is none. */
export const jupyter: Jupyter | undefined = [
  ...pythons.map((python) => found(python, "lab", "JupyterLab", "jupyterlab")),
  ...pythons.map((python) => found(python, "classic", "Jupyter Notebook", "notebook")),
].find((one) => one !== undefined);

/** Why tests with Jupyter cannot run here; false when they can. */
export const skip =
  noBrowser ||
  (jupyter ? false : "NOT CHECKED: no Python here has JupyterLab; LUVIT_JUPYTER_PYTHON names another");

function found(python: string, kind: Jupyter["kind"], title: string, module: string): Jupyter | undefined {
  try {
    const version = execFileSync(python, ["-m", module, "--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    return kind === "classic" && !version.startsWith("6.")
      ? undefined
      : { kind, name: `${title} ${version}`, python };
  } catch {
    return undefined;
  }
}

/** A server of its own on the loopback interface, with our kernel and nothing of the user's configuration. */
export class JupyterServer {
  private constructor(
    readonly jupyter: Jupyter,
    readonly url: string,
    readonly token: string,
    /** What it serves. */
    readonly folder: string,
    readonly environment: NodeJS.ProcessEnv,
    private readonly process: ChildProcess,
  ) {}

  static async start(): Promise<JupyterServer> {
    const place = temporaryFolder("jupyter");
    const folder = join(place, "root");
    mkdirSync(folder);
    const environment = {
      ...process.env,
      HOME: place,
      JUPYTER_CONFIG_DIR: join(place, "config"),
      JUPYTER_DATA_DIR: join(place, "data"),
      JUPYTER_RUNTIME_DIR: join(place, "runtime"),
    };
    execFileSync(process.execPath, [join(project, "dist", "cli.js"), "kernel", "install", "--link"], {
      env: environment,
    });
    const token = randomUUID();
    const port = await freePort();
    const started = spawn(jupyter!.python, serverWords(jupyter!.kind, port, token), {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    endWithThisProcess(started);
    const url = `http://127.0.0.1:${port}`;
    const server = new JupyterServer(jupyter!, url, token, folder, environment, started);
    await server.ready();
    return server;
  }

  /** Ends the server and its kernels and removes their files. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    if (this.process.exitCode === null && this.process.kill("SIGTERM")) await ended;
    rmSync(join(this.folder, ".."), { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    let log = "";
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-4000);
    });
    for (const until = Date.now() + 120_000; Date.now() < until; await sleep(100)) {
      const answer = await fetch(`${this.url}/api?token=${this.token}`).catch(() => undefined);
      if (answer?.ok) return;
      if (this.process.exitCode !== null) break;
    }
    throw new Error(`${this.jupyter.name} did not start:\n${log}`);
  }
}

/** Nothing is left behind by tests that are broken off. */
function endWithThisProcess(child: ChildProcess): void {
  process.once("exit", () => child.kill("SIGTERM"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
}

function serverWords(kind: Jupyter["kind"], port: number, token: string): string[] {
  const common = ["--no-browser", "--allow-root", "--ip=127.0.0.1", `--port=${port}`];
  if (kind === "classic")
    return ["-m", "notebook", ...common, "--NotebookApp.port_retries=0", `--NotebookApp.token=${token}`];
  return [
    "-m",
    "jupyterlab",
    ...common,
    "--ServerApp.port_retries=0",
    `--IdentityProvider.token=${token}`,
    "--expose-app-in-browser",
    // Nothing that asks the network.
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
  ];
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
