import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type Restarted, restart } from "../../../bench/core/restart";

const times = 5;
let done: Restarted;

before(async () => {
  done = await restart(times);
});

test("a kernel that is started again and again answers every time", () => {
  assert.equal(done.hangs, 0);
  assert.equal(done.start_ms.length, times);
});

test("kernels leave neither processes nor temporary files, shut down or killed", () => {
  assert.deepEqual(done.left_processes ?? [], []);
  assert.deepEqual(done.left_files, []);
});
