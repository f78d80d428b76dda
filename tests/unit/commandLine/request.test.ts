import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { wordsOf } from "../../../src/commandLine/request";

test("what is to be typed again comes out of a shell as it was: spaces, quotes, dollars", () => {
  for (const file of ["run.json", "my run.json", "it's.json", "$HOME;x.json", 'a"b`c.json']) {
    const words = wordsOf({ file, out: `out of ${file}`, resume: false, print: () => {} });
    const argv = execFileSync("sh", ["-c", `printf '%s\\n' ${words}`], { encoding: "utf8" })
      .trim()
      .split("\n");
    assert.deepEqual(argv, ["--config", file, "--out", `out of ${file}`]);
  }
  const all = { file: "a", seed: 3, shard: { index: 2, count: 8 }, resume: true, print: () => {} };
  assert.equal(wordsOf(all), "--config a --seed 3 --shard 2/8");
});
