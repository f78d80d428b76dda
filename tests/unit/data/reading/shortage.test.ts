import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { flatPng, put, temporaryFolder } from "../support";

const data = join(__dirname, "..", "..", "..", "..", "src", "data");
const skip = process.platform === "win32" && "this system has no limit of open files to lower";

/** Runs a script in a process of few open files, of which it has taken all, with `set` and `free()` at hand. */
function withoutFiles(root: string, body: string): string {
  const script = `
    const { openSync, closeSync } = require("node:fs");
    const { imageFolder } = require(${JSON.stringify(data)});
    const { Rng } = require(${JSON.stringify(join(data, "..", "core", "rng"))});
    (async () => {
      const set = await imageFolder(${JSON.stringify(root)});
      await set.load(0, new Rng(0));
      const taken = [];
      const free = () => closeSync(taken.pop());
      try { for (;;) taken.push(openSync(${JSON.stringify(root)}, "r")); } catch {}
      const seen = (sample) => console.log(sample.index, set.report.count);
      const refused = (error) => { free(); console.log(error.code, error.message, set.report.count); };
      ${body}
    })();`;
  const line = 'ulimit -n 40 && exec "$0" -e "$1"';
  const { stdout, stderr } = spawnSync("sh", ["-c", line, process.execPath, script], { encoding: "utf8" });
  return stdout + stderr;
}

describe("images of a process that has no open files left", { skip }, () => {
  const root = temporaryFolder();
  before(async () => {
    for (const name of ["0", "1"]) await put(root, `a/${name}.png`, await flatPng(4, 4, [1, 2, 3]));
  });

  it("are waited for while others close theirs", () => {
    const body = "setTimeout(free, 20); seen(await set.load(1, new Rng(0)));";
    assert.equal(withoutFiles(root, body), "1 0\n");
  });

  it("are no unreadable images, in whose place others come: the error says what is missing", () => {
    const answer = withoutFiles(root, "await set.load(1, new Rng(0)).then(seen, refused);");
    assert.match(answer, /^bad-file .*1\.png: EMFILE.*the image may be good; raise ulimit -n.* 0\n$/);
  });
});
