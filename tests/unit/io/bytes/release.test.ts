import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { KeptFile } from "../../../../src/io/bytes";
import { openCheckpoint } from "../../../../src/io/checkpoint";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { writeTorchCheckpoint } from "../../../../src/io/torch";
import { eighths, temporaryFolder } from "../support";

const tensors: StateDict = new Map([
  ["large", eighths([300, 1000])],
  ["small", eighths([3])],
]);
const formats = {
  "F32.safetensors": (path: string) => writeSafetensors(path, tensors),
  "F16.safetensors": (path: string) => writeSafetensors(path, tensors, { dtype: "F16" }),
  "BF16.pth": (path: string) => writeTorchCheckpoint(path, tensors, { dtype: "BF16" }),
};

function countReads(t: TestContext): { count: number } {
  const reads = { count: 0 };
  const { readNow } = KeptFile.prototype;
  t.mock.method(
    KeptFile.prototype,
    "readNow",
    function (this: KeptFile, ...range: Parameters<typeof readNow>) {
      reads.count++;
      return readNow.apply(this, range);
    },
  );
  return reads;
}

for (const [name, write] of Object.entries(formats)) {
  const read = async () => {
    const path = join(temporaryFolder(), name);
    await write(path);
    const file = await openCheckpoint(path);
    const found = await file.readTensors([...tensors.keys()]);
    await file.close();
    return { path, found };
  };

  test(`${name}: what was released is read again, also from a file that is gone since`, async (t) => {
    const { path, found } = await read();
    const values = [...found.values()].map((tensor) => tensor.peek!().slice());
    const reads = countReads(t);
    for (const tensor of found.values()) tensor.peek!();
    assert.equal(reads.count, 0);
    for (const tensor of found.values()) tensor.release!();
    rmSync(path);
    for (const [i, tensor] of [...found.values()].entries()) {
      assert.deepEqual(tensor.peek!(), values[i]);
      assert.deepEqual(tensor.data, values[i]);
      assert.equal(tensor.data, tensor.data);
    }
    assert.equal(reads.count, 4, "once for a look, once for the numbers themselves");
  });

  test(`${name}: what nothing could be read from again is kept`, async () => {
    const changes = [
      (path: string) => rmSync(path),
      (path: string) => writeFileSync(path, "another"),
      (path: string) => {
        writeFileSync(`${path}.new`, "another");
        renameSync(`${path}.new`, path);
      },
    ];
    for (const change of changes) {
      const { path, found } = await read();
      const values = [...found.values()].map((tensor) => tensor.peek!().slice());
      change(path);
      for (const [i, tensor] of [...found.values()].entries()) {
        tensor.release!();
        assert.deepEqual(tensor.peek!(), values[i]);
      }
    }
  });

  test(`${name}: numbers that somebody has, and may have changed, are not replaced by the file's`, async () => {
    const { found } = await read();
    const tensor = found.get("small")!;
    tensor.data[1] = 77;
    tensor.release!();
    assert.equal(tensor.peek!()[1], 77);
  });
}
