import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { lastLines, runCommand } from "./command";
import type { Python } from "./python";

/** A downloaded wheel. */
export interface Wheel {
  readonly path: string;
  readonly version: string;
  readonly bytes: number;
}

/** Pythons whose wheels are asked for where the present one has none: the library in all of them is the same. */
const OTHER_PYTHONS = ["3.13", "3.12", "3.11", "3.10"];

/**
 * Has pip fetch the newest wheel of a package into `folder`.
 *
 * @throws LuvitError("engine") saying why there is none.
 */
export async function downloadWheel(python: Python, requirement: string, folder: string): Promise<Wheel> {
  const outputs: string[] = [];
  for (const version of pythonsFor(python)) {
    const finished = await runPip(python, requirement, folder, version);
    if (finished.status === 0) return wheelIn(folder, requirement);
    outputs.push(finished.output);
    if (!isWithoutWheel(finished.output)) break;
  }
  throw explainPip(requirement, outputs.at(-1)!, python);
}

/** Versions to ask for, the present one first. */
const pythonsFor = ({ version }: Pick<Python, "version">): string[] => [
  version,
  ...OTHER_PYTHONS.filter((other) => other !== version),
];

function runPip(python: Python, requirement: string, folder: string, version: string) {
  const other = version === python.version ? [] : ["--python-version", version, "--implementation", "cp"];
  const options = ["--no-deps", "--only-binary=:all:", "--progress-bar=off", "--disable-pip-version-check"];
  const args = [...python.args, "-m", "pip", "download", ...options, ...other, "--dest", folder, requirement];
  return runCommand(python.command, args);
}

const UNREACHABLE =
  /ProxyError|SSLError|CERTIFICATE|ConnectionError|ConnectTimeout|ReadTimeout|Temporary failure|Name or service|40[13] |Max retries/i;

const isWithoutWheel = (output: string) =>
  /No matching distribution|Could not find a version/i.test(output) && !UNREACHABLE.test(output);

function wheelIn(folder: string, requirement: string): Wheel {
  const stem = requirement.replace(/[^\w.-].*$/, "").replace(/-/g, "_");
  const file = readdirSync(folder).find((name) => name.startsWith(`${stem}-`) && name.endsWith(".whl"));
  if (!file) throw new LuvitError("engine", `pip reported success but left no wheel of ${requirement}`);
  const path = join(folder, file);
  return { path, version: file.split("-")[1], bytes: statSync(path).size };
}

/** What pip's output means and what to do about it. */
export function explainPip(requirement: string, output: string, python: Pick<Python, "version">): LuvitError {
  const reasons: [RegExp, string][] = [
    [/No space left|ENOSPC/i, "the disk is full: free some space, or set TMPDIR and LUVIT_ENGINE_CACHE"],
    [
      UNREACHABLE,
      "the package index could not be reached: check the network, and PIP_INDEX_URL or pip's configuration",
    ],
    [
      /No matching distribution|Could not find a version/i,
      `the package index has no wheel of it for ${process.platform} ${process.arch} (asked for Python ` +
        `${pythonsFor(python).join(", ")}): use another index (PIP_INDEX_URL), or --stock`,
    ],
  ];
  const reason = reasons.find(([pattern]) => pattern.test(output))?.[1] ?? "pip failed";
  return new LuvitError("engine", `pip download ${requirement}: ${reason}\n${lastLines(output)}`);
}

/** What the addon is built against: the C interface and what its headers include. */
const wanted = [
  "tensorflow/libtensorflow_cc.so.2",
  "tensorflow/libtensorflow_framework.so.2",
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/",
  "tensorflow/include/tsl/",
  "tensorflow/include/xla/tsl/c/",
];

/** Python's own unpacking forgets which files are programs (CUDA's ptxas is one). */
const EXTRACT = `
import os, sys, zipfile
archive, folder, *prefixes = sys.argv[1:]
with zipfile.ZipFile(archive) as wheel:
    for member in wheel.infolist():
        if not member.filename.startswith(tuple(prefixes)):
            continue
        path = wheel.extract(member, folder)
        if (member.external_attr >> 16) & 0o111 and not member.is_dir():
            os.chmod(path, os.stat(path).st_mode | 0o111)
`;

/** Unpacks files of a wheel whose paths begin with one of `prefixes`; by default what the addon needs. */
export async function unpackWheel(
  python: Python,
  wheel: Wheel,
  folder: string,
  prefixes: readonly string[] = wanted,
): Promise<void> {
  const args = [...python.args, "-c", EXTRACT, wheel.path, folder, ...prefixes];
  const { status, output } = await runCommand(python.command, args);
  if (status === 0) return;
  const full = /No space left|ENOSPC/i.test(output) ? ": the disk is full" : "";
  throw new LuvitError("engine", `unpacking ${wheel.path} failed${full}\n${lastLines(output)}`);
}
