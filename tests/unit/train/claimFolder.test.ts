import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { startOf } from "../../../src/core/processes";
import { claimRunFolder, releaseRunFolder } from "../../../src/train/claimFolder";
import { assertThrows, temporaryFolder } from "./support";

const claim = (out: string, resume = false) =>
  claimRunFolder("run", { epochs: 1, batchSize: 1, out, resume });

const children: ChildProcess[] = [];
after(() => children.forEach((child) => void child.kill("SIGKILL")));

/** A process that claims `out` so often; resolves when it has. */
async function claimer(out: string, count = 1): Promise<{ child: ChildProcess; folders: string[] }> {
  const child = spawn(process.execPath, [join(__dirname, "claimChild.js"), out, String(count)]);
  children.push(child);
  let output = "";
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (output.endsWith("done\n")) resolve();
    });
  });
  return { child, folders: output.trimEnd().split("\n").slice(0, -1) };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGKILL");
  await gone;
}

test("a folder made for a run that wrote nothing goes with it; one that was there, or has something, stays", () => {
  const parent = temporaryFolder();
  const [out, there] = [join(parent, "run"), join(parent, "there")];
  releaseRunFolder(claim(out));
  assert.equal(existsSync(out), false);
  releaseRunFolder(claim(out));
  const folder = claim(out)!;
  writeFileSync(join(folder, "config.json"), "{}");
  releaseRunFolder(folder);
  assert.deepEqual(readdirSync(out), ["config.json"]);
  mkdirSync(there);
  releaseRunFolder(claim(there));
  assert.deepEqual(readdirSync(there), []);
});

test("processes that want the same folder at the same time get one each", async () => {
  const out = join(temporaryFolder(), "run");
  const all = await Promise.all([1, 2, 3].map(() => claimer(out, 20)));
  const folders = all.flatMap((one) => one.folders);
  assert.equal(folders.length, 60);
  assert.equal(new Set(folders).size, 60);
  await Promise.all(all.map(({ child }) => kill(child)));
});

test("a folder that another process writes to is not resumed, until that process is gone, however it went", async () => {
  const out = join(temporaryFolder(), "run");
  const { child } = await claimer(out);
  const pieces = ["a run still writes there", `process ${child.pid} on ${hostname()}`, "run.lock"];
  assertThrows(() => claim(out, true), "bad-argument", ...pieces);
  assert.equal(basename(claim(out)!), "run-2");
  await kill(child);
  assert.ok(existsSync(join(out, "run.lock")), "it had no time to let go");
  assert.equal(claim(out, true), out);
  const twice = () => claim(out, true);
  assertThrows(twice, "bad-argument", "await its stop()");
  releaseRunFolder(out);
  assert.deepEqual(readdirSync(out), []);
  releaseRunFolder(`${out}-2`);
});

test("a lock counts for nothing whose process number was given to another, or that a crash left half written", () => {
  const out = join(temporaryFolder(), "run");
  mkdirSync(out);
  const lock = { pid: process.ppid, start: "1", host: hostname(), since: "2026-01-01T00:00:00Z" };
  for (const text of [JSON.stringify(lock), '{"pid": 12', ""]) {
    writeFileSync(join(out, "run.lock"), text);
    assert.equal(claim(out), out);
    releaseRunFolder(out);
  }
  const alive = { ...lock, start: startOf(process.ppid) };
  writeFileSync(join(out, "run.lock"), JSON.stringify(alive));
  assertThrows(() => claim(out, true), "bad-argument", `process ${process.ppid}`);
});

test("of other machines, whose processes cannot be asked, a lock counts as long as it is renewed", () => {
  const out = join(temporaryFolder(), "run");
  mkdirSync(out);
  const path = join(out, "run.lock");
  const lock = { pid: 1, host: "elsewhere.example", since: "2026-01-01T00:00:00Z" };
  writeFileSync(path, JSON.stringify(lock));
  assertThrows(() => claim(out, true), "bad-argument", "process 1 on elsewhere.example", "2026-01-01");
  const fresh = new Date(Date.now() - 14 * 60_000);
  utimesSync(path, fresh, fresh);
  assertThrows(() => claim(out, true), "bad-argument", "process 1 on elsewhere.example");
  const old = new Date(Date.now() - 16 * 60_000);
  utimesSync(path, old, old);
  assert.equal(claim(out, true), out);
  assert.equal(JSON.parse(readFileSync(path, "utf8")).pid, process.pid);
  releaseRunFolder(out);
});

test("a folder that holds something is left alone, an empty one is taken", () => {
  const out = join(temporaryFolder(), "run");
  mkdirSync(out);
  assert.equal(claim(out), out);
  releaseRunFolder(out);
  writeFileSync(join(out, "mine"), "");
  writeFileSync(`${out}-2`, "a file");
  assert.equal(claim(out), `${out}-3`);
  releaseRunFolder(`${out}-3`);
});
