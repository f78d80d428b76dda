import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { engineCache } from "../../../src/core/engineCache";
import { explainBuild } from "../../../src/engine/install/addon";
import { installedEngines, MANIFEST } from "../../../src/engine/install/cache";
import { makeWorkFolder } from "../../../src/engine/install/install";
import { explainPip } from "../../../src/engine/install/wheel";
import { findTensorflow } from "../../../src/engine/tensorflow/binding";
import { isLuvitError, repository } from "../nn/support";

const folder = mkdtempSync(join(tmpdir(), "luvit-engines-"));
after(() => rmSync(folder, { recursive: true }));

/** The command line with a cache of its own. */
function luvit(args: string[], environment: Record<string, string> = {}) {
  const env = { ...process.env, LUVIT_ENGINE_CACHE: folder, ...environment };
  return spawnSync(process.execPath, [join(repository, "dist", "cli.js"), ...args], {
    env,
    encoding: "utf8",
  });
}

/** A program of the given name that prints `output` and fails. */
function failing(name: string, output: string): string {
  const programs = mkdtempSync(join(folder, "programs-"));
  writeFileSync(join(programs, name), `#!/bin/sh\necho '${output}'\nexit 1\n`);
  chmodSync(join(programs, name), 0o755);
  return join(programs, name);
}

test("engines are kept where the platform keeps caches, or where the user says", () => {
  const at = (environment: Record<string, string>, platform: string) =>
    engineCache(environment, platform, "/home/u");
  assert.equal(at({}, "linux"), join("/home/u", ".cache", "luvit", "engines"));
  assert.equal(at({}, "darwin"), join("/home/u", "Library", "Caches", "luvit", "engines"));
  assert.equal(at({ LOCALAPPDATA: "/l" }, "win32"), join("/l", "luvit", "Cache", "engines"));
  assert.equal(at({ XDG_CACHE_HOME: "/x" }, "linux"), join("/x", "luvit", "engines"));
  for (const platform of ["linux", "darwin", "win32"]) {
    const all = { XDG_CACHE_HOME: "/x", LOCALAPPDATA: "/l" };
    assert.equal(at(all, platform), join("/x", "luvit", "engines"));
    assert.equal(at({ ...all, LUVIT_ENGINE_CACHE: "/own" }, platform), "/own");
  }
  assert.equal(at({}, "win32"), join("/home/u", "AppData", "Local", "luvit", "Cache", "engines"));
  const empty = { XDG_CACHE_HOME: "", LUVIT_ENGINE_CACHE: "", LOCALAPPDATA: "/l" };
  assert.equal(at(empty, "linux"), join("/home/u", ".cache", "luvit", "engines"));
});

test("an installation has a folder of its own beside the engines; what dead ones left goes, what living ones have stays", () => {
  const cache = join(folder, "work");
  const ended = spawnSync(process.execPath, ["-e", ""]).pid;
  const kept = ["tensorflow-cpu", `.installing-${process.ppid}`, ".installing-x"];
  for (const name of [...kept, `.installing-${ended}`, `.installing-${process.pid}`])
    mkdirSync(join(cache, name, "inside"), { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  const work = makeWorkFolder(cache, Math.min(bavail * 2, (bavail * bsize) / 2));
  assert.equal(work, join(cache, `.installing-${process.pid}`));
  assert.deepEqual(readdirSync(work), [], "what it left before is gone");
  assert.deepEqual(readdirSync(cache).sort(), [...kept, `.installing-${process.pid}`].sort());
  assert.throws(
    () => makeWorkFolder(cache, bavail * bsize * 10),
    isLuvitError("engine", "MB are needed while installing", cache, "LUVIT_ENGINE_CACHE"),
  );
  writeFileSync(join(folder, "file"), "");
  assert.throws(() => makeWorkFolder(join(folder, "file"), 0), isLuvitError("engine", "cannot write to"));
  rmSync(cache, { recursive: true });
  rmSync(join(folder, "file"));
});

describe("an installation that cannot be says why and what to do", () => {
  test("without Python", () => {
    const { status, stderr } = luvit(["engine", "install"], { PYTHON: join(folder, "none") });
    assert.equal(status, 1);
    assert.match(stderr, /no Python with pip .*not found.*apt install python3-pip.*--stock/s);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith(".installing")),
      [],
      "nothing is left behind",
    );
  });

  test("with a Python that does not work", () => {
    const { stderr } = luvit(["engine", "install"], { PYTHON: failing("python", "broken") });
    assert.match(stderr, /not found or not working/);
  });

  test("where the cache cannot be written", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const { stderr } = luvit(["engine", "install"], { LUVIT_ENGINE_CACHE: join(file, "cache") });
    assert.match(stderr, /cannot write to .*set LUVIT_ENGINE_CACHE/);
  });

  test("whatever pip, npm or the compiler met", () => {
    const python = { version: "3.12" };
    const pip = (output: string) => explainPip("tensorflow-cpu", output, python).message;
    assert.match(
      pip("ERROR: No matching distribution found for tensorflow-cpu"),
      /no wheel .*Python 3\.12.*--stock/,
    );
    assert.match(pip("ProxyError('Cannot connect to proxy')"), /could not be reached/);
    assert.match(pip("OSError: [Errno 28] No space left on device"), /disk is full/);
    const build = (output: string) => explainBuild({ status: 1, output }).message;
    assert.match(build("gyp ERR! stack Error: not found: make"), /no make .*build-essential/);
    assert.match(build("make: g++: No such file or directory"), /no C\+\+ compiler/);
    assert.match(build("gyp ERR! find Python"), /Python/);
    assert.match(
      build("FetchError: request to https://nodejs.org failed: getaddrinfo ENOTFOUND"),
      /headers could not/,
    );
    assert.match(build("fatal error: tensorflow/c/x.h: No such file or directory"), /laid out/);
    assert.match(build("error: expected ';'"), /the compiler failed\n.*expected/s);
  });
});

describe("the cache", () => {
  const engine = (name: string, manifest: object, complete = true) => {
    const place = join(folder, name);
    mkdirSync(place);
    writeFileSync(join(place, MANIFEST), JSON.stringify({ addon: "addon.node", bytes: 8e8, ...manifest }));
    if (complete) writeFileSync(join(place, "addon.node"), "");
  };

  test("is listed, newest first, without what is incomplete or of another machine, and emptied", () => {
    const { platform, arch } = process;
    engine("old", { platform, arch, tfjs: "4.22.0", installed: "2025-01-01" });
    engine("new", { platform, arch, tfjs: "4.22.0", installed: "2026-01-01" });
    engine("half", { platform, arch, tfjs: "4.22.0", installed: "2026-02-01" }, false);
    engine("elsewhere", { platform: "plan9", arch, tfjs: "4.22.0", installed: "2026-03-01" });
    process.env.LUVIT_ENGINE_CACHE = folder;
    const names = installedEngines().map(({ name }) => name);
    assert.equal(findTensorflow()?.folder, join(folder, "new"));
    delete process.env.LUVIT_ENGINE_CACHE;
    assert.deepEqual(names, ["new", "old"]);
    assert.match(
      luvit(["engine", "list"]).stdout,
      /^elsewhere .*\nnew \(tfjs-node-gpu 4\.22\.0, 800 MB, 2026-01-01\)/,
    );
    assert.match(luvit(["engine", "remove", "newest"]).stderr, /no newest in .*there: .*new/);
    assert.match(luvit(["engine", "remove", "old"]).stdout, /^removed old$/m);
    assert.match(luvit(["engine", "remove"]).stdout, /^removed elsewhere, new$/m);
    assert.match(luvit(["engine", "list"]).stdout, /no engines .*luvit engine install/);
  });

  test("wrong words are usage errors", () => {
    for (const words of [["install", "--cuda", "--stock"], ["instal"], [], ["list", "all"]])
      assert.equal(luvit(["engine", ...words]).status, 2, words.join(" "));
  });
});
