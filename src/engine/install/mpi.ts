import { mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { engineCache } from "../../core/engineCache";
import { LuvitError } from "../../core/errors";
import { packageRoot } from "../../core/packageRoot";
import { addonPath } from "../../distributed/addon";
import { lastLines, runCommand } from "./command";
import { makeWorkFolder } from "./install";

/** What was built. */
export interface InstalledMpi {
  readonly path: string;
  /** "Open MPI 4.1.4". */
  readonly mpi: string;
  /** Processes that the sum was checked with. */
  readonly workers: number;
}

/** The addon and what the compiler keeps meanwhile, bytes. */
const ROOM = 20e6;

/** Open MPI refuses root, whom containers run as; two processes that add two numbers are no danger. */
const AS_ROOT = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };

/**
 * Builds the addon for training on many machines with the site's MPI and has it sum over two processes, or over one where
 * there is no mpirun. `MPICXX` and `MPIEXEC` name another compiler and launcher than mpicxx and mpirun.
 *
 * @throws LuvitError("engine") saying what is missing and what to do; what was there before stays.
 */
export async function installMpi(report: (line: string) => void = () => {}): Promise<InstalledMpi> {
  const compiler = process.env.MPICXX || "mpicxx";
  const work = makeWorkFolder(engineCache(), ROOM);
  try {
    const built = join(work, "mpi.node");
    report(`compiling with ${compiler}`);
    await compile(compiler, built);
    const checked = await check(built, report);
    const path = addonPath();
    mkdirSync(dirname(path), { recursive: true });
    renameSync(built, path);
    return { path, ...checked };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function compile(compiler: string, target: string): Promise<void> {
  const source = join(packageRoot(), "src", "distributed", "mpi.cc");
  const flags = ["-std=c++17", "-O3", "-fPIC", "-shared"];
  if (process.platform === "darwin") flags.push("-undefined", "dynamic_lookup");
  const { status, output } = await runCommand(compiler, [...flags, "-o", target, source]);
  if (status === 0) return;
  const advice =
    status === undefined
      ? "MPI's compiler is not there: on a cluster load its module (module load openmpi); on Debian and Ubuntu " +
        "apt-get install libopenmpi-dev openmpi-bin; MPICXX names another one"
      : "it could not compile the addon";
  throw new LuvitError("engine", `${compiler}: ${advice}\n${lastLines(output)}`);
}

async function check(
  addon: string,
  report: (line: string) => void,
): Promise<{ mpi: string; workers: number }> {
  const launcher = process.env.MPIEXEC || "mpirun";
  const script = [join(__dirname, "..", "..", "distributed", "check.js"), addon];
  report(`summing over two processes with ${launcher}`);
  const environment = { ...AS_ROOT, OMPI_MCA_rmaps_base_oversubscribe: "1" };
  let run = await runCommand(launcher, ["-n", "2", process.execPath, ...script], { environment });
  if (run.status === undefined) {
    report(`${launcher} is not there: summing over this process alone`);
    run = await runCommand(process.execPath, script, { environment });
  }
  const summed = /^summed over (\d+) with (.+)$/m.exec(run.output);
  if (run.status === 0 && summed) return { mpi: summed[2], workers: Number(summed[1]) };
  throw new LuvitError("engine", `MPI: the addon was built but does not sum\n${lastLines(run.output)}`);
}
