import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { corruptions, decodeImage } from "../../../../src/data";
import { type CorruptionPlan, corruptFile } from "../../../../src/data/corruptions/corruptFile";
import { encodeJpeg } from "../../../../src/data/corruptions/digital";
import { OwnFolders, realPlace } from "../../../../src/data/corruptions/outputs";
import { cropBox, resize } from "../../../../src/data/pixels";
import { flatPng, isLuvitError, paintedImage, put, temporaryFolder } from "../support";

describe("a file under corruptions", () => {
  const plan = (source: string, target: string, more: Partial<CorruptionPlan> = {}): CorruptionPlan => ({
    ...{ source, target, types: ["contrast", "gaussian_noise"], severities: [2, 5], size: 56, seed: 3 },
    ...more,
  });

  it("is cut as the official ones are, not turned by its camera, and drawn by seed, type, severity and path", async () => {
    const [source, target] = [temporaryFolder(), temporaryFolder()];
    const { data, width, height } = paintedImage(120, 80, (x, y) => [2 * x, 3 * y, (x * y) % 256]);
    const file = await sharp(data, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 95 })
      .toBuffer();
    await put(source, "a/x.JPEG", file);
    const one = { path: join("a", "x.JPEG"), output: join("a", "x.JPEG") };
    const folders = new OwnFolders(target);
    const done = await corruptFile(plan(source, target), one, [], folders);
    assert.deepEqual(done, { path: one.path, written: 4, kept: 0 });
    // 56 x 8 / 7 = 64 pixels of the shorter side, 96 of the longer: the square in the middle.
    const square = cropBox(
      resize(await decodeImage(file, { exif: "ignore" }), 96, 64, { filter: "bilinear" }),
      {
        left: 20,
        top: 4,
        width: 56,
        height: 56,
      },
    );
    for (const type of ["contrast", "gaussian_noise"] as const)
      for (const severity of [2, 5]) {
        const rng = new Rng(3).fork(type, severity, one.path);
        const expected = await encodeJpeg(await corruptions.apply(square, type, severity, rng), 85);
        assert.deepEqual(
          readFileSync(join(target, type, `${severity}`, one.output)),
          expected,
          `${type} ${severity}`,
        );
      }
    const more = plan(source, target, { severities: [2, 3, 5] });
    assert.deepEqual(await corruptFile(more, one, [], folders), { path: one.path, written: 2, kept: 4 });
    assert.deepEqual(await corruptFile(more, one, [], folders), { path: one.path, written: 0, kept: 6 });
    const other = { ...one, output: join("a", "y.JPEG") };
    assert.equal((await corruptFile(plan(source, target), other, [], folders)).written, 4);
  });

  it("is left out where it cannot be read, with its reason; other errors are errors", async () => {
    const [source, target] = [temporaryFolder(), temporaryFolder()];
    await put(source, "bad.png", "no image");
    await put(source, "good.png", await flatPng(64, 64, [90, 80, 70]));
    const folders = new OwnFolders(target);
    const bad = await corruptFile(
      plan(source, target),
      { path: "bad.png", output: "bad.png.JPEG" },
      [],
      folders,
    );
    assert.deepEqual({ ...bad, unreadable: "" }, { path: "bad.png", written: 0, kept: 0, unreadable: "" });
    assert.ok(bad.unreadable!.startsWith(`${join(source, "bad.png")}: cannot be decoded (it is text`));
    assert.deepEqual(readdirSync(target), []);
    const frosty = plan(source, target, { types: ["frost"] });
    const good = { path: "good.png", output: "good.png.JPEG" };
    await assert.rejects(corruptFile(frosty, good, [], folders), isLuvitError("bad-argument", "frost needs"));
    writeFileSync(join(target, "frost"), "");
    const ice = [paintedImage(80, 80, () => [200, 210, 220])];
    await assert.rejects(
      corruptFile(frosty, good, ice, folders),
      isLuvitError("refused-file", "is no folder"),
    );
  });

  it("lies where links lead, also below folders that are not there yet", () => {
    const [folder, elsewhere] = [temporaryFolder(), realPlace(temporaryFolder())];
    symlinkSync(elsewhere, join(folder, "link"));
    assert.equal(realPlace(join(folder, "link")), elsewhere);
    assert.equal(realPlace(join(folder, "link", "new", "deeper")), join(elsewhere, "new", "deeper"));
    assert.equal(realPlace(join(elsewhere, "a", "..", "b")), join(elsewhere, "b"));
  });
});

describe("a run over a folder", () => {
  it("has what it was asked for, says what it did, and notes its size and seed before anything is written", async () => {
    const [source, target] = [temporaryFolder(), join(temporaryFolder(), "new", "c")];
    for (const name of ["a", "b", "c"]) await put(source, `${name}.png`, await flatPng(40, 40, [90, 80, 70]));
    await put(source, "bad.png", "no image");
    const ice = temporaryFolder();
    for (let i = 0; i < 7; i++) await put(ice, `${i}.png`, await flatPng(60, 60, [200, 210, 220]));
    const run = await corruptions.generate(source, target, { frost: ice, size: 32, seed: 9, workers: 2 });
    assert.deepEqual(
      [run.plan.types.length, run.plan.severities, run.plan.size, run.plan.seed, run.workers, run.length],
      [19, [1, 2, 3, 4, 5], 32, 9, 2, 4],
    );
    assert.equal((Reflect.get(run, "photographs") as string[]).length, 5);
    assert.equal(readFileSync(join(target, "corruptions.json"), "utf8"), '{"size":32,"seed":9}\n');
    assert.deepEqual(readdirSync(target), ["corruptions.json"]);
    const some = await corruptions.generate(source, target, {
      ...{ types: ["contrast", "brightness"], severities: [4], size: 32, seed: 9, workers: 2 },
    });
    for await (const { path } of some) assert.ok(!existsSync(path), "paths are those below the source");
    const said = `4 images, 2 corruptions x 1 severities in ${some.plan.target}: 6 files written, 0 kept; 1 unreadable images left out`;
    assert.deepEqual([String(some), inspect(some)], [said, said]);
    const plain = await corruptions.generate(source, target, { types: ["contrast"], size: 32, seed: 9 });
    assert.ok(plain.workers >= 1);
    assert.deepEqual([plain.plan.types, plain.plan.severities], [["contrast"], [1, 2, 3, 4, 5]]);
    const usual = await corruptions.generate(source, temporaryFolder(), { types: ["contrast"] });
    assert.deepEqual([usual.plan.size, usual.plan.seed], [224, 0]);
    await assert.rejects(
      corruptions.generate(source, target, { types: ["contrast"], size: 33, seed: 9 }),
      isLuvitError("bad-argument", 'was begun with {"size":32,"seed":9}, not with size 33 and seed 9'),
    );
  });

  it("ends with the code of what went wrong in a thread, and refuses what holds nothing to do", async () => {
    const [source, target, empty] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    await put(source, "a.png", await flatPng(40, 40, [90, 80, 70]));
    mkdirSync(join(empty, "ice"));
    const frosty = { types: ["frost" as const], severities: [1], size: 32, workers: 1 };
    await assert.rejects(
      corruptions.generate(source, target, { ...frosty, frost: join(empty, "ice") }),
      isLuvitError("bad-argument", `none found in ${join(empty, "ice")}`),
    );
    await put(empty, "ice/small.png", await flatPng(32, 40, [200, 210, 220]));
    const run = await corruptions.generate(source, target, { ...frosty, frost: join(empty, "ice") });
    await assert.rejects(
      async () => {
        for await (const _ of run);
      },
      isLuvitError("bad-argument", "frost: a photograph has 32 x 40 pixels, the image 32 x 32"),
    );
    await assert.rejects(
      corruptions.generate(temporaryFolder(), target, { types: ["fog"] }),
      isLuvitError("bad-dataset", "no images under"),
    );
    await assert.rejects(
      corruptions.generate(source, source, { types: ["fog"] }),
      isLuvitError("bad-argument", "lies inside the source"),
    );
  });
});
