import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { distillGraphRunners } from "../../golden/distillGraphs";
import { readCaseFile } from "../../golden/harness";
import { repository } from "../nn/support";
import { compilingEngines } from "./support";
import { webgpu } from "./webgpu";

before(async () => {
  await startBackend();
});

for (const engine of [...compilingEngines, webgpu]) {
  describe(`the golden losses of distillation through ${engine.title}`, () => {
    for (const [name, run] of Object.entries(distillGraphRunners(engine.open))) {
      test(`${name}: losses and gradients`, engine.options, async () => {
        const folder = join(repository, "tests", "golden", "cases", name);
        const checks = await run(folder, readCaseFile(folder));
        assert.ok(checks.length > 3);
        for (const { name: what, error, tolerance } of checks) {
          assert.ok(error <= tolerance, `${what}: ${error}, tolerance ${tolerance}`);
        }
      });
    }
  });
}
