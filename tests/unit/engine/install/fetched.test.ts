import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, join } from "node:path";
import { test } from "node:test";
import { installEngine } from "../../../../src/engine/install/install";
import { findNpm } from "../../../../src/engine/install/npm";
import { temporaryFolder } from "../../io/support";
import { isLuvitError } from "../../nn/support";

/** Runs `use` with variables of the environment, undefined ones taken out, and perhaps as if by another Node. */
function within<Result>(
  variables: Readonly<Record<string, string | undefined>>,
  use: () => Result,
  execPath = process.execPath,
): Result {
  const [env, own] = [{ ...process.env }, process.execPath];
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  process.execPath = execPath;
  try {
    return use();
  } finally {
    process.env = env;
    process.execPath = own;
  }
}

test("npm is looked for elsewhere where the environment names a script that is gone, or another program's", () => {
  const yarn = join(temporaryFolder(), "yarn.js");
  writeFileSync(yarn, "");
  for (const npm_execpath of [join(temporaryFolder(), "gone", "npm-cli.js"), yarn, "", undefined])
    within({ npm_execpath }, () => {
      assert.equal(basename(findNpm()), "npm-cli.js");
      assert.ok(existsSync(findNpm()));
    });
});

test("npm is the one that runs this, else the one beside Node, else what a link in PATH leads to", () => {
  const place = temporaryFolder();
  const file = (...path: string[]) => {
    mkdirSync(join(place, ...path.slice(0, -1)), { recursive: true });
    const name = join(realpathSync(place), ...path);
    writeFileSync(name, "");
    return name;
  };
  const [node, script] = [file("node", "bin", "node"), file("lib", "npm-cli.js")];
  mkdirSync(join(place, "links"));
  symlinkSync(script, join(place, "links", "npm"));
  const [none, links] = [join(place, "none"), join(place, "links")];
  const found = (PATH: string | undefined, npm_execpath?: string) =>
    within({ PATH, npm_execpath }, findNpm, node);
  assert.equal(found([none, links].join(delimiter)), script);
  for (const PATH of [none, "", undefined])
    assert.throws(
      () => found(PATH),
      isLuvitError("engine", "npm was not found, neither beside Node nor in PATH"),
    );
  file("none", "npm");
  assert.throws(() => found(none), isLuvitError("engine", "npm was not found"), "another npm than a script");
  const windows = file("node", "bin", "node_modules", "npm", "bin", "npm-cli.js");
  assert.equal(found(links), windows);
  const unix = file("node", "lib", "node_modules", "npm", "bin", "npm-cli.js");
  assert.equal(found(links), unix);
  const own = file("own", "npm-cli.js");
  assert.equal(found(links, own), own);
});

const skip = process.platform === "linux" ? false : "engines are built on Linux";

test("of the wheels of TensorFlow the small one is asked for where there is one: for x64", {
  skip,
}, async () => {
  const folder = temporaryFolder();
  const [path, log] = [join(folder, "python"), join(folder, "asked")];
  const script = `#!/bin/sh
[ "$1" = -c ] && echo 3.12 && exit 0
[ "$3" = --version ] && exit 0
for last; do :; done
echo "$last" >> ${log}
echo No space left on device
exit 1
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  const environment = { ...process.env };
  const own = Object.getOwnPropertyDescriptor(process, "arch")!;
  try {
    Object.assign(process.env, { PYTHON: path, LUVIT_ENGINE_CACHE: join(folder, "cache") });
    for (const value of ["x64", "arm64"]) {
      Object.defineProperty(process, "arch", { ...own, value });
      for (const options of [{}, { tensorflow: "2.18.0" }, { variant: "cpu" } as const])
        await assert.rejects(installEngine(options), isLuvitError("engine", "the disk is full"));
    }
  } finally {
    Object.defineProperty(process, "arch", own);
    process.env = environment;
  }
  assert.deepEqual(readFileSync(log, "utf8").trim().split("\n"), [
    ...["tensorflow-cpu", "tensorflow-cpu==2.18.0", "tensorflow-cpu"],
    ...["tensorflow", "tensorflow==2.18.0", "tensorflow"],
  ]);
  assert.deepEqual(readdirSync(join(folder, "cache")), [], "nothing is left");
});
