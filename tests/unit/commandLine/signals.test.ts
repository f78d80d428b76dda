import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";
import * as suites from "../../../src/analysis/suite/suite";
import { evaluateCommand } from "../../../src/commandLine/evaluateCommand";
import { temporaryFolder, tinyClassifier, writeImages } from "../train/support";

for (const [signal, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`${signal} stops an evaluation after its batch, and what is left is named`, async () => {
    const folder = temporaryFolder();
    await Object.assign(tinyClassifier(), { classNames: ["green", "red"] }).save(join(folder, "model"));
    await writeImages(join(folder, "images"), 3);
    const config = { model: { weights: "model" }, data: { own: { x: "images" } }, batchSize: 1, out: "out" };
    writeFileSync(join(folder, "run.json"), JSON.stringify(config));
    const { suite } = suites;
    const listeners = process.listeners(signal);
    const own = () => process.listeners(signal).filter((listener) => !listeners.includes(listener));
    const started = mock.method(suites, "suite", (...given: Parameters<typeof suite>) => {
      const run = suite(...given);
      for (const listener of own()) listener(signal); // those of the test runner would end it
      return run;
    });
    const said: string[] = [];
    const quiet = mock.method(process.stderr, "write", () => true);
    try {
      const print = (line: string) => void said.push(line);
      const status = await evaluateCommand({ file: join(folder, "run.json"), resume: false, print } as never);
      assert.equal(status, expected);
    } finally {
      started.mock.restore();
      quiet.mock.restore();
      for (const listener of own()) process.off(signal, listener);
    }
    assert.match(said.join("\n"), /not evaluated:\s+.*x: /);
  });
}
