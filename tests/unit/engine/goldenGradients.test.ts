import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { stepsThrough, through } from "../../golden/gradients";
import { readCaseFile } from "../../golden/harness";
import { gradientCases } from "../../golden/throughEngine";
import { repository } from "../nn/support";
import { compilingEngines } from "./support";
import { webgpu } from "./webgpu";

before(() => startBackend());

for (const engine of [...compilingEngines, webgpu]) {
  describe(`golden outputs and gradients through ${engine.title}`, () => {
    for (const [name, make] of Object.entries(gradientCases)) {
      test(name, engine.options, async () => {
        const folder = join(repository, "tests", "golden", "cases", name);
        const checks = await make(through(engine), stepsThrough(engine))(folder, readCaseFile(folder));
        const misses = checks.filter(({ error, tolerance }) => !(error <= tolerance));
        assert.ok(checks.length > 2);
        assert.deepEqual(misses, []);
      });
    }
  });
}
