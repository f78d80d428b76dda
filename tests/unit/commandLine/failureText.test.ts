import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { failureText } from "../../../src/commandLine/failureText";
import { LuvitError } from "../../../src/core/errors";

function thrownBy(step: () => unknown): unknown {
  try {
    step();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}

test("a failure of the library's own is its message alone", () => {
  assert.equal(failureText(new LuvitError("bad-file", "x.json: not JSON")), "x.json: not JSON");
});

test("a failure of the system names the file", () => {
  const missing = thrownBy(() => readFileSync("/no/such/file"));
  assert.equal(
    failureText(missing),
    "/no/such/file: ENOENT: no such file or directory, open '/no/such/file'",
  );
  const closed = Object.assign(new Error("EPIPE: broken pipe, write"), { code: "EPIPE", syscall: "write" });
  assert.equal(failureText(closed), "EPIPE: broken pipe, write");
});

test("any other is called a fault of luvit's, with its place and without its stack", () => {
  const fault = thrownBy(() => (undefined as unknown as { x: number }).x);
  const text = failureText(fault);
  assert.match(
    text,
    /^TypeError: Cannot read .* \(failureText\.test\.js:\d+\)\. This is a fault of luvit's; LUVIT_DEBUG=1/,
  );
  assert.equal(text.split("\n").length, 1);
  assert.match(failureText("a text"), /^a text\. This is a fault/);
  assert.match(
    failureText(Object.assign(new Error("odd"), { code: "E" })),
    /^Error: odd \(.*\)\. This is a fault/,
  );
});

test("LUVIT_DEBUG shows the stack of each", () => {
  const before = process.env.LUVIT_DEBUG;
  process.env.LUVIT_DEBUG = "1";
  try {
    for (const error of [
      new LuvitError("bad-file", "x"),
      thrownBy(() => readFileSync("/no/such")),
      new Error("y"),
    ])
      assert.match(failureText(error), /\n\s+at /);
  } finally {
    if (before === undefined) delete process.env.LUVIT_DEBUG;
    else process.env.LUVIT_DEBUG = before;
  }
});
