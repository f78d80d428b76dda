import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
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
