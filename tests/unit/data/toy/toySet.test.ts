import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { decodeMaskIds } from "../../../../src/data/masks";
import { decodeImage } from "../../../../src/data/reading/decode";
import { encodeToyFile, toyClasses, toyFiles, writeToySet } from "../../../../src/data/toy/toySet";
import { shapesFolder, temporaryFolder } from "../support";

describe("the toy set", () => {
  const files = toyFiles();

  it("is complete in this checkout", () => {
    assert.equal(files.length, 1260 + 120 + 302);
    assert.deepEqual(
      files.filter((file) => !existsSync(join(shapesFolder, file.path))),
      [],
    );
    assert.deepEqual([...toyClasses], [...toyClasses].sort());
  });

  it("comes out the same when it is drawn again", async () => {
    for (const file of files.filter(({ path }, i) => i % 53 === 0 && !path.endsWith(".json"))) {
      const again = await decodeImage(await encodeToyFile(file));
      const stored = await decodeImage(readFileSync(join(shapesFolder, file.path)));
      assert.deepEqual(again, stored, file.path);
    }
  });

  it("covers between a twentieth and two fifths of the image with the object", async () => {
    for (const { path } of files.filter((file) => /segmentation\//.test(file.path))) {
      const { ids } = await decodeMaskIds(join(shapesFolder, path));
      const share = ids.filter((id) => id > 0).length / ids.length;
      assert.ok(share > 0.05 && share < 0.4, `${path}: ${share}`);
    }
  });

  it("can be drawn in another size and number", async () => {
    const root = temporaryFolder();
    const scenes = { scenes: 2, validationScenes: 1, sceneSize: 40 };
    const sizes = { size: 16, train: 2, validation: 1, imageNet9: 1, trainSemi: 1, ...scenes };
    const written = await writeToySet(root, { ...sizes, seed: 7 });
    assert.equal(written.files, 6 * (2 + 1 + 1 + 3 + 2) + 3 + 2);
    const image = await decodeImage(join(root, "train", "star", "star_train_0001.jpg"));
    assert.deepEqual([image.width, image.height], [16, 16]);
  });
});
