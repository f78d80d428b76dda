import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startOf } from "../../../../src/core/processes";
import { LOCK_FILE, RunLock } from "../../../../src/io/runs/runLock";
import { temporaryFolder } from "../support";

function taken(folder: string): RunLock {
  const lock = RunLock.take(folder);
  assert.ok(lock instanceof RunLock);
  return lock;
}

test("a lock is had once, says who has it, and leaves nothing when it is let go", () => {
  const folder = temporaryFolder();
  const lock = taken(folder);
  const holder = RunLock.take(folder);
  assert.ok(!(holder instanceof RunLock));
  assert.equal(holder.pid, process.pid);
  assert.deepEqual(readdirSync(folder), [LOCK_FILE]);
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  taken(folder).release();
});

test("who lets go takes no lock away that is another's by now", () => {
  const folder = temporaryFolder();
  const lock = taken(folder);
  const path = join(folder, LOCK_FILE);
  writeFileSync(path, "another's");
  lock.release();
  assert.ok(existsSync(path));
  assert.equal(readFileSync(path, "utf8"), "another's");
});

test("a lock that is cut off or damaged counts for nothing", () => {
  for (const content of ["", "{", "null", '{"pid":-1,"host":"a","since":"b"}', '{"pid":"1"}']) {
    const folder = temporaryFolder();
    writeFileSync(join(folder, LOCK_FILE), content);
    taken(folder).release();
  }
});

/** Takes a folder whose lock another process is said to have. */
function takenFrom(holder: object, changedAgo = 0): boolean {
  const folder = temporaryFolder();
  const path = join(folder, LOCK_FILE);
  writeFileSync(path, JSON.stringify({ since: "now", ...holder }));
  const at = (Date.now() - changedAgo) / 1000;
  utimesSync(path, at, at);
  const lock = RunLock.take(folder);
  if (!(lock instanceof RunLock)) return false;
  lock.release();
  return true;
}

test("a lock of another machine counts for a quarter of an hour, one of this machine as long as its process runs", () => {
  const ended = spawnSync(process.execPath, ["-e", ""]).pid;
  // Whether a process of that number runs here says nothing.
  for (const pid of [process.pid, ended]) {
    const elsewhere = { pid, start: "its start", host: "another machine" };
    assert.equal(takenFrom(elsewhere, 14 * 60_000), false);
    assert.equal(takenFrom(elsewhere, 16 * 60_000), true);
  }
  const here = { host: hostname(), pid: process.pid };
  assert.equal(takenFrom(here, 3_600_000), false, "its process runs");
  assert.equal(
    takenFrom({ ...here, start: "another start" }),
    startOf(process.pid) !== undefined,
    "its number was given to another",
  );
  assert.equal(takenFrom({ ...here, pid: ended }), true, "its process is gone");
});

test("a link at the lock's place is nobody's lock, and is refused", () => {
  const folder = temporaryFolder();
  symlinkSync(join(folder, "nowhere"), join(folder, LOCK_FILE));
  assert.throws(() => RunLock.take(folder), /run\.lock: not a regular file/);
});

test("a holder says every 20 seconds that it is still there, until it lets go", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const folder = temporaryFolder();
  const lock = taken(folder);
  const path = join(folder, LOCK_FILE);
  const renewed = (milliseconds: number) => {
    utimesSync(path, 1, 1);
    t.mock.timers.tick(milliseconds);
    return statSync(path).mtimeMs > 1000;
  };
  assert.deepEqual([renewed(19_999), renewed(1), renewed(20_000)], [false, true, true]);
  lock.release();
  writeFileSync(path, "another's");
  assert.equal(renewed(60_000), false);
});
