import { rmSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { lastLines, runCommand } from "./command";
import type { Python } from "./python";
import { downloadWheel, unpackWheel, type Wheel } from "./wheel";

const REQUIREMENTS = `
import re, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    metadata = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    for line in wheel.read(metadata).decode().splitlines():
        found = re.match(r"Requires-Dist: ([^;]+); *extra == [\\"']and-cuda[\\"']", line)
        if found: print(found.group(1).strip())
`;

/** Adds CUDA's libraries, as the TensorFlow wheel asks for them, to the engine's folder. */
export async function addCudaLibraries(
  python: Python,
  wheel: Wheel,
  work: string,
  folder: string,
  report: (line: string) => void,
): Promise<void> {
  const { status, output } = await runCommand(python.command, [
    ...python.args,
    "-c",
    REQUIREMENTS,
    wheel.path,
  ]);
  if (status !== 0)
    throw new LuvitError("engine", `reading what ${wheel.path} requires failed\n${lastLines(output)}`);
  for (const requirement of output.split("\n").filter(Boolean)) {
    report(`downloading ${requirement} with pip`);
    const library = await downloadWheel(python, requirement, work);
    await unpackWheel(python, library, join(folder, "deps"), ["nvidia/"]);
    rmSync(library.path);
  }
}
