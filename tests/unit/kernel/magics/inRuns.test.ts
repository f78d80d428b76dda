import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { joined, runCli, streamText, writeTestNotebook } from "../../notebook/helpers";

test("luvit run takes magics as Jupyter does, and writes its files where it would", async () => {
  const path = writeTestNotebook([
    "%cd lib\n!ls\n%time 6 * 7",
    'import { part } from "./part";\nconsole.log(part)',
    "%%sh\necho $((part + 1)); exit 4",
    "%nosuch",
  ]);
  const lib = join(dirname(path), "lib");
  mkdirSync(lib);
  writeFileSync(join(lib, "part.ts"), "export const part = 5;\n");
  const run = await runCli(path);
  assert.equal(run.status, 1);
  assert.deepEqual(run.counts, [1, 2, 3, 4]);
  const first = streamText(run.outputs[0]!, "stdout");
  assert.ok(first.startsWith(`${lib}\npart.ts\nwall `), first);
  const value = run.outputs[0]!.find((one) => one.output_type === "execute_result");
  assert.equal(value?.output_type === "execute_result" && joined(value.data["text/plain"]), "42");
  assert.equal(streamText(run.outputs[1]!, "stdout"), "5\n");
  assert.equal(streamText(run.outputs[2]!, "stdout"), "1\n");
  assert.equal(streamText(run.outputs[2]!, "stderr"), "exit code 4\n");
  assert.match(run.stdout, /cell \[4\]:1:1 - error: no magic is called %nosuch/);
});
