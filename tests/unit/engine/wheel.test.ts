import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lastLines, runCommand } from "../../../src/engine/install/command";
import { addCudaLibraries } from "../../../src/engine/install/cuda";
import { explainNpm } from "../../../src/engine/install/npm";
import { findPython, type Python } from "../../../src/engine/install/python";
import { downloadWheel, explainPip, unpackWheel } from "../../../src/engine/install/wheel";
import { isLuvitError } from "../nn/support";
import { temporaryFolder } from "../train/support";

const NONE = "ERROR: No matching distribution found for tensorflow";

/** A Python whose pip does what a script says; `args` has what it was called with. */
function pipThat(script: string): Python & { calls(): string[][] } {
  const folder = temporaryFolder();
  const [path, log] = [join(folder, "python.js"), join(folder, "calls")];
  writeFileSync(log, "");
  const begin = `const fs = require("fs"), words = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(log)}, JSON.stringify(words) + "\\n");
const after = (name) => words[words.indexOf(name) + 1];
const asked = words.includes("--python-version") ? after("--python-version") : undefined;`;
  writeFileSync(path, `${begin}\n${script}`);
  const calls = () =>
    readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as string[]);
  return { command: process.execPath, args: [path], version: "3.12", calls };
}

test("what keeps another Python's wheel from coming is what is told, not that this one has none", async () => {
  for (const [last, words] of [
    ["OSError: No space left on device", "the disk is full"],
    ["ProxyError", "the package index could not be reached"],
    ["a traceback", "pip failed"],
  ] as const) {
    const pip = pipThat(
      `console.log(asked === undefined ? ${JSON.stringify(NONE)} : ${JSON.stringify(last)}); process.exit(1);`,
    );
    await assert.rejects(
      downloadWheel(pip, "a", temporaryFolder()),
      isLuvitError("engine", `pip download a: ${words}`, last),
    );
    assert.equal(pip.calls().length, 2, "nobody else is asked then");
  }
});

test("the newest wheel is fetched without its dependencies, for this Python", async () => {
  const pip = pipThat(`fs.writeFileSync(after("--dest") + "/tensor_flow-2.19.1-cp312-linux.whl", "12345");`);
  const folder = temporaryFolder();
  assert.deepEqual(await downloadWheel(pip, "tensor-flow>=2.16,<3", folder), {
    path: join(folder, "tensor_flow-2.19.1-cp312-linux.whl"),
    version: "2.19.1",
    bytes: 5,
  });
  const common = ["--no-deps", "--only-binary=:all:", "--progress-bar=off", "--disable-pip-version-check"];
  assert.deepEqual(pip.calls(), [
    ["-m", "pip", "download", ...common, "--dest", folder, "tensor-flow>=2.16,<3"],
  ]);
});

test("where this Python has no wheel those of others are asked for, each once, newest first", async () => {
  const pip = pipThat(`if (asked === "3.10") fs.writeFileSync(after("--dest") + "/a-1-x.whl", "");
else { console.log(${JSON.stringify(NONE)}); process.exit(1); }`);
  assert.equal((await downloadWheel(pip, "a", temporaryFolder())).version, "1");
  const versions = pip
    .calls()
    .map((words) =>
      words.includes("--python-version") ? words[words.indexOf("--python-version") + 1] : "own",
    );
  assert.deepEqual(versions, ["own", "3.13", "3.11", "3.10"]);
  assert.ok(pip.calls()[1].join(" ").includes("--python-version 3.13 --implementation cp"));
  const nowhere = pipThat(`console.log(${JSON.stringify(NONE)}); process.exit(1);`);
  await assert.rejects(
    downloadWheel(nowhere, "a", temporaryFolder()),
    isLuvitError(
      "engine",
      "pip download a: the package index has no wheel of it for",
      "asked for Python 3.12, 3.13, 3.11, 3.10",
    ),
  );
  assert.equal(nowhere.calls().length, 4);
});

test("an index that cannot be reached is asked once, and said", async () => {
  const pip = pipThat(`console.log("SSLError"); console.error(${JSON.stringify(NONE)}); process.exit(1);`);
  await assert.rejects(
    downloadWheel(pip, "a", temporaryFolder()),
    isLuvitError("engine", "the package index could not be reached", "  SSLError"),
  );
  assert.equal(pip.calls().length, 1);
  await assert.rejects(
    downloadWheel(pipThat(""), "a-b", temporaryFolder()),
    isLuvitError("engine", "pip reported success but left no wheel of a-b"),
  );
});

test("what pip and npm say is told with what to do about it", () => {
  const pip = (output: string) => explainPip("a", output, { version: "3.9" }).message.split("\n")[0];
  assert.match(
    pip("OSError: No space left on device"),
    /^pip download a: the disk is full: free some space, or set TMPDIR/,
  );
  for (const line of [
    "ProxyError",
    "HTTP error 403 while",
    "401 Client",
    "Temporary failure in name",
    "Max retries exceeded",
  ])
    assert.match(pip(line), /a: the package index could not be reached: check/);
  assert.match(pip(NONE), /has no wheel of it for \w+ \w+ \(asked for Python 3\.9, 3\.13/);
  assert.equal(pip("a traceback"), "pip download a: pip failed");
  const npm = (output: string) => explainNpm("what", { status: 1, output }).message;
  assert.equal(npm("ENOSPC: x"), "what: the disk is full\n  ENOSPC: x");
  for (const line of ["E401", "E404", "EAI_AGAIN", "ECONNRESET"])
    assert.match(npm(line), /^what: the npm registry did not give it out: check the network/);
  assert.equal(npm("else"), "what: npm failed\n  else");
});

test("a wheel that cannot be unpacked is said, with the reason where it is the disk", async () => {
  const failing = (line: string) =>
    unpackWheel(
      pipThat(`console.log(${JSON.stringify(line)}); process.exit(1);`),
      { path: "x.whl", version: "1", bytes: 1 },
      "folder",
    );
  await assert.rejects(
    failing("No space left"),
    isLuvitError("engine", "unpacking x.whl failed: the disk is full\n  No space left"),
  );
  await assert.rejects(failing("BadZipFile"), isLuvitError("engine", "unpacking x.whl failed\n  BadZipFile"));
  const pip = pipThat("");
  await unpackWheel(pip, { path: "x.whl", version: "1", bytes: 1 }, "folder", ["nvidia/"]);
  assert.deepEqual(pip.calls()[0].slice(2), ["x.whl", "folder", "nvidia/"]);
  await unpackWheel(pip, { path: "x.whl", version: "1", bytes: 1 }, "folder");
  assert.deepEqual(
    pip.calls()[1].slice(4),
    [
      ...["libtensorflow_cc.so.2", "libtensorflow_framework.so.2", "include/tensorflow/c/"],
      ...["include/tensorflow/core/platform/", "include/tsl/", "include/xla/tsl/c/"],
    ].map((path) => `tensorflow/${path}`),
    "by default what the addon is built against: the C interface and what its headers include",
  );
});

test("a command gives its status and both streams, its own environment alone where that is asked", async () => {
  const run = (script: string, options = {}) => runCommand(process.execPath, ["-e", script], options);
  assert.deepEqual(await run("console.log(1); process.exit(3)"), { status: 3, output: "1\n" });
  assert.equal((await run("console.error('e')")).output, "e\n");
  assert.deepEqual(await run("process.kill(process.pid, 'SIGKILL')"), {
    status: undefined,
    output: "\nstopped by SIGKILL",
  });
  const missing = await runCommand("/nowhere/a", []);
  assert.equal(missing.status, undefined);
  assert.match(missing.output, /^\/nowhere\/a: spawn .*ENOENT/);
  process.env.LUVIT_TEST_SEEN = "yes";
  const seen = "console.log([process.env.LUVIT_TEST_SEEN, process.env.OWN].join())";
  assert.equal((await run(seen, { environment: { OWN: "a" } })).output, "yes,a\n");
  assert.equal((await run(seen, { environment: { OWN: "a" }, alone: true })).output, ",a\n");
  const other = { environment: { LUVIT_TEST_SEEN: "other" } };
  assert.equal(
    (await run(seen, other)).output,
    "other,\n",
    "what a command is given goes before what is here",
  );
  delete process.env.LUVIT_TEST_SEEN;
  const folder = temporaryFolder();
  assert.equal((await run("console.log(process.cwd())", { cwd: folder })).output, `${folder}\n`);
  assert.equal(lastLines("a\n\n b\r\nc\n"), "  a\n   b\n  c");
  assert.equal(lastLines(Array.from({ length: 14 }, (_, i) => `${i}`).join("\n")).split("\n")[0], "  2");
  assert.equal(lastLines("a\nb\nc", 1), "  c");
});

test("a Python without pip, or that does not work, is named with why", async (t) => {
  const given = process.env.PYTHON;
  t.after(() => {
    if (given === undefined) delete process.env.PYTHON;
    else process.env.PYTHON = given;
  });
  process.env.PYTHON = "/nowhere/python";
  await assert.rejects(
    findPython(),
    isLuvitError(
      "engine",
      "no Python with pip (/nowhere/python: not found or not working)",
      "apt install python3-pip",
    ),
  );
});

test("CUDA's libraries are those that a wheel asks for with that extra, each unpacked beside the others", async (t) => {
  const folder = temporaryFolder();
  const wheel = join(folder, "tensorflow-2.18.0-x.whl");
  const make = `
import sys, zipfile
lines = ["Requires-Dist: numpy<2.2", "Requires-Dist: nvidia-a-cu12==12.5.3.2; extra == 'and-cuda'",
         'Requires-Dist: nvidia-b-cu12 (<3) ; extra == "and-cuda"', "Requires-Dist: x; extra == 'other'", "",
         "Requires-Dist is a field"]
with zipfile.ZipFile(sys.argv[1], "w") as made:
    made.writestr("tensorflow/METADATA", "Requires-Dist: y; extra == 'and-cuda'")
    made.writestr("tensorflow-2.18.0.dist-info/METADATA", "\\n".join(lines))
`;
  if (spawnSync("python3", ["-c", make, wheel]).status !== 0) return t.skip("no python3 here");
  const command = join(folder, "python");
  const script = `#!/bin/sh
case "$2" in
  *Requires-Dist*) exec python3 "$@";;
  pip) while [ $# -gt 1 ]; do [ "$1" = --dest ] && dest=$2; shift; done
    : > "$dest/$(echo "$1" | sed 's/[= (].*//; s/-/_/g')-1-x.whl";;
  *) mkdir -p "$4/$5/$(basename $3)";;
esac
`;
  writeFileSync(command, script);
  chmodSync(command, 0o755);
  const [work, engine] = ["work", "engine"].map((name) => join(folder, name));
  for (const path of [work, engine]) mkdirSync(path);
  const lines: string[] = [];
  const python = { command, args: [], version: "3.12" };
  const add = (path: string) =>
    addCudaLibraries(
      python,
      { path, version: "2.18.0", bytes: 1 },
      work,
      engine,
      (line) => void lines.push(line),
    );
  await add(wheel);
  assert.deepEqual(lines, [
    "downloading nvidia-a-cu12==12.5.3.2 with pip",
    "downloading nvidia-b-cu12 (<3) with pip",
  ]);
  assert.deepEqual(readdirSync(join(engine, "deps", "nvidia")).sort(), [
    "nvidia_a_cu12-1-x.whl",
    "nvidia_b_cu12-1-x.whl",
  ]);
  assert.deepEqual(readdirSync(work), [], "wheels go when they are unpacked");
  assert.ok(existsSync(wheel));
  await assert.rejects(
    add(join(folder, "none.whl")),
    isLuvitError("engine", "reading what", "requires failed"),
  );
});
