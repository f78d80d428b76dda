import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mock, test } from "node:test";
import { isRunning, startOf } from "../../../src/core/processes";

test("a process runs until it has ended; one of another user, which may not be signalled, runs too", () => {
  assert.equal(isRunning(process.pid), true);
  const { pid } = spawnSync(process.execPath, ["--version"]);
  assert.equal(isRunning(pid), false);
  const refuse = (code: string) => () => {
    throw Object.assign(new Error(`kill ${code}`), { code });
  };
  for (const [code, runs] of [
    ["EPERM", true],
    ["ESRCH", false],
  ] as const) {
    const kill = mock.method(process, "kill", refuse(code));
    try {
      assert.equal(isRunning(1), runs, code);
    } finally {
      kill.mock.restore();
    }
  }
});

test("a process has one start, and one that has ended has none", {
  skip: process.platform !== "linux",
}, () => {
  assert.match(startOf(process.pid) ?? "", /^\d+$/);
  assert.equal(startOf(process.pid), startOf(process.pid));
  const later = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  try {
    assert.ok(Number(startOf(later.pid as number)) > Number(startOf(process.pid)));
  } finally {
    later.kill();
  }
  assert.equal(startOf(spawnSync(process.execPath, ["--version"]).pid), undefined);
});
