import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runNotebook } from "../../../src/kernel/runNotebook";
import { temporaryFolder } from "../../unit/io/support";
import { isLuvitError } from "../../unit/nn/support";

test("a notebook is not overwritten by what its run writes, through whichever links", async () => {
  const folder = temporaryFolder();
  const [real, linked] = [join(folder, "real"), join(folder, "linked")];
  const text = JSON.stringify({ cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 });
  mkdirSync(real);
  symlinkSync(real, linked);
  writeFileSync(join(real, "a.ipynb"), text);
  symlinkSync(join(real, "a.ipynb"), join(folder, "a.ipynb"));
  const named = isLuvitError("bad-argument", "would overwrite the notebook itself");
  for (const [notebook, out] of [
    [join(real, "a.ipynb"), real],
    [join(real, "a.ipynb"), linked],
    [join(linked, "a.ipynb"), real],
    [join(folder, "a.ipynb"), real],
    [join(real, "a.ipynb"), folder],
  ]) {
    await assert.rejects(runNotebook(notebook, { out, html: false }), named);
  }
  assert.equal(readFileSync(join(real, "a.ipynb"), "utf8"), text);
});
