import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { jupyterEnvironment, pythonWith } from "./python";

const variables = ["LUVIT_KERNEL_TEST_PYTHON", "LUVIT_JUPYTER_PYTHON", "LUVIT_PYTHON"];
const { python, skip } = pythonWith(
  "jupyter_kernel_test",
  "jupyter_kernel_test, jupyter_client, jsonschema",
  variables,
);

test("jupyter_kernel_test: every test it has passes, none is skipped", { skip }, () => {
  const env = jupyterEnvironment();
  const script = join(packageRoot(), "tests", "interop", "jupyter", "kernel_test.py");
  const { stderr } = spawnSync(python, [script], {
    env,
    cwd: env.folder,
    encoding: "utf8",
    timeout: 120_000,
  });
  const ended = (word: string) => stderr.match(new RegExp(`^test_\\w+ .*\\.\\.\\. ${word}`, "gm")) ?? [];
  assert.deepEqual([ended("FAIL"), ended("ERROR"), ended("skipped")], [[], [], []], stderr);
  assert.match(stderr, /\nOK\s*$/);
  assert.ok(ended("ok").length >= 12, stderr);
});
