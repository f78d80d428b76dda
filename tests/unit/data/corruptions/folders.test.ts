import assert from "node:assert/strict";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { isWithin, OwnFolders, outputNames } from "../../../../src/data/corruptions/outputs";
import { corruptionFolder, corruptionsIn } from "../../../../src/data/corruptionTypes";
import { temporaryFolder } from "../support";

test("a corruption is found by its name, and below the archive it is published in", async () => {
  const root = temporaryFolder();
  const [plain, grouped] = [join(root, "frost"), join(root, "noise", "shot_noise")];
  for (const folder of [plain, grouped])
    for (const severity of [1, 2, 3, 4, 5]) mkdirSync(join(folder, `${severity}`), { recursive: true });
  mkdirSync(join(root, "blur", "zoom_blur", "4"), { recursive: true });
  assert.equal(await corruptionFolder(root, "frost"), plain);
  assert.equal(await corruptionFolder(root, "shot_noise"), grouped);
  await assert.rejects(corruptionFolder(root, "fog"), (error: unknown) => {
    assert.ok(error instanceof LuvitError && error.code === "missing-file");
    assert.ok(error.message.includes(`looked for ${join(root, "fog")} and ${join(root, "weather", "fog")}`));
    assert.match(error.message, /holds shot_noise, zoom_blur, frost$/);
    return true;
  });
  const { types, missing } = corruptionsIn(root);
  assert.deepEqual(types, ["shot_noise", "frost"]);
  assert.ok(missing.includes("zoom_blur: severity 1, 2, 3, 5") && missing.includes("fog (weather.tar)"));
});

test("images are written to folders of their own place, through no link and over no file", () => {
  const [root, elsewhere] = [temporaryFolder(), temporaryFolder()];
  const folders = new OwnFolders(root);
  folders.make(join(root, "a", "b"));
  folders.make(join(root, "a", "b"));
  assert.ok(existsSync(join(root, "a", "b")));
  symlinkSync(elsewhere, join(root, "link"));
  symlinkSync(join(elsewhere, "nowhere"), join(root, "dangling"));
  writeFileSync(join(root, "file"), "");
  for (const [name, what] of [
    ["link", "a link"],
    ["dangling", "a link"],
    ["file", "no folder"],
  ]) {
    for (const folder of [join(root, name), join(root, name, "deeper")]) {
      assert.throws(
        () => folders.make(folder),
        (error: unknown) =>
          error instanceof LuvitError &&
          error.code === "refused-file" &&
          error.message.startsWith(`${join(root, name)} is ${what};`),
      );
    }
  }
  assert.ok(!existsSync(join(elsewhere, "deeper")));
});

test("a place lies in a folder where that is it or above it, not where their names begin alike", () => {
  const folder = join("/", "sets", "images");
  for (const inside of [folder, join(folder, "c"), join(folder, "c", "d")])
    assert.ok(isWithin(inside, folder));
  for (const outside of ["images-c", "images2", "image", ""])
    assert.ok(!isWithin(join("/", "sets", outside), folder), outside);
  assert.ok(!isWithin(join("/", "images"), folder));
});

test("images are written as JPEG files whose names say which they come from", () => {
  for (const [image, written] of [
    ["a/x.jpg", "a/x.jpg"],
    ["a/x.JPEG", "a/x.JPEG"],
    ["a/x.Jpeg", "a/x.Jpeg"],
    ["a/x.png", "a/x.png.JPEG"],
    ["b.jpg/x.jpgs", "b.jpg/x.jpgs.JPEG"],
    ["b.jpg/x", "b.jpg/x.JPEG"],
    ["a/\udce9.tif", "a/%e9.tif.JPEG"],
    ["\udcff\udc80/\udce9", "%ff%80/%e9.JPEG"],
  ])
    assert.deepEqual(outputNames([image]), [written]);
  assert.deepEqual(outputNames(["a/x.png", "b/x.png"]), ["a/x.png.JPEG", "b/x.png.JPEG"]);
});
