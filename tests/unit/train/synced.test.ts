import assert from "node:assert/strict";
import { existsSync, readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { pretrain } from "../../../src/train/pretrain";
import { images, pretraining, temporaryFolder, tinyMae } from "./support";

before(async () => void (await startBackend()));

test("before a checkpoint has its name, its files and the log are on the disk; then its name is", {
  skip: existsSync("/proc/self/fd") ? false : "this system does not tell what an open file is called",
}, async (t) => {
  const out = join(temporaryFolder(), "run");
  const handle = await open(__filename);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const synced: string[] = [];
  const { sync } = prototype;
  t.mock.method(prototype, "sync", function (this: FileHandle) {
    const isThere = existsSync(join(out, "checkpoint-000003"));
    synced.push(`${isThere ? "named" : "aside"} ${relative(out, readlinkSync(`/proc/self/fd/${this.fd}`))}`);
    return sync.call(this);
  });
  await pretrain(tinyMae(), await images(), { ...pretraining, epochs: 1, out }).done;
  const files = synced.filter((one) => one.startsWith("aside"));
  const names = files.map((one) =>
    basename(one)
      .replace(/^aside /, "")
      .replace(/\.tmp-.*/, ""),
  );
  for (const name of ["metrics.jsonl", "model.safetensors", "optimizer.safetensors", "state.json"])
    assert.ok(names.includes(name), `${name} is not among ${names.join(", ")}`);
  assert.ok(names.indexOf("metrics.jsonl") < names.indexOf("model.safetensors"));
  const afterwards = synced.find((one) => one.startsWith("named"));
  assert.equal(afterwards, "named ", "the run's folder, which holds the new name, and nothing before it");
});
