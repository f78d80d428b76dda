import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runNotebook } from "../../../src/kernel/runNotebook";
import { writeTestNotebook } from "./helpers";

test("a run says in seconds how long it took, its cells within that", async () => {
  const wait = "await new Promise((resolve) => setTimeout(resolve, 50))";
  const path = writeTestNotebook([wait, wait]);
  const before = performance.now();
  const terminal = { isTTY: false, columns: 80, write: () => true } as never;
  const { cells, seconds, outcome } = await runNotebook(path, {
    out: join(dirname(path), "out"),
    terminal,
    html: false,
  });
  const most = (performance.now() - before) / 1000;
  assert.equal(outcome, "ok");
  const own = cells.map((cell) => cell.seconds);
  assert.ok(
    own.every((one) => one >= 0.045),
    `${own}`,
  );
  const sum = own.reduce((a, b) => a + b, 0);
  assert.ok(seconds >= sum - 0.01 && seconds <= most + 0.01, `${own} in ${seconds} of ${most}`);
});
