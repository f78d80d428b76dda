import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { type CorruptionType, corruptions, decodeImage, imageNetC } from "../../../../src/data";
import { cropBox, resize } from "../../../../src/data/pixels/resample";
import { none } from "../../../../src/data/transforms";
import { layOut, wnids } from "../sets/standIns";
import { put, shapesFolder, temporaryFolder } from "../support";

const types: CorruptionType[] = ["fog", "jpeg_compression", "glass_blur"];
const options = { types, severities: [1, 4], size: 56, workers: 2 };
const toy = readFileSync(join(shapesFolder, "val", "fish", "fish_val_0000.jpg"));

function images(): string {
  const root = temporaryFolder();
  layOut(root, [`${wnids[0]}/a.JPEG`, `${wnids[0]}/b.JPEG`, `${wnids[3]}/c.jpg`, `${wnids[3]}/d.png`], toy);
  return root;
}

async function finish(run: corruptions.CorruptionRun): Promise<corruptions.CorruptionRun> {
  for await (const image of run) assert.ok(image.path.length > 0);
  return run;
}

describe("corruptions.generate", () => {
  it("writes the layout that imageNetC reads, in the official crop", async () => {
    const [source, target] = [images(), temporaryFolder()];
    const run = await finish(await corruptions.generate(source, target, options));
    assert.deepEqual([run.length, run.written, run.kept, run.report.count], [4, 24, 0, 0]);
    const set = await imageNetC(target, "fog", 4, { partial: true, transform: none(56) });
    assert.deepEqual(
      Array.from({ length: 4 }, (_, i) => set.label(i)),
      [0, 0, 3, 3],
    );
    assert.match(set.path(3), /d\.png\.JPEG$/);
    const whole = resize(await decodeImage(toy), 64, 64, { filter: "bilinear" });
    const square = cropBox(whole, { left: 4, top: 4, width: 56, height: 56 });
    const expected = await corruptions.apply(square, "jpeg_compression", 1, new Rng(0));
    const written = await decodeImage(join(target, "jpeg_compression", "1", wnids[3], "c.jpg"));
    const distance = written.data.reduce((sum, byte, i) => sum + Math.abs(byte - expected.data[i]), 0);
    assert.ok(distance / written.data.length < 4, "only the second compression lies between them");
  });

  it("draws anew for every severity and every image", async () => {
    const [source, target] = [images(), temporaryFolder()];
    const noisy = { types: ["gaussian_noise"] as CorruptionType[], severities: [1, 2], size: 56, workers: 1 };
    await finish(await corruptions.generate(source, target, noisy));
    const pixels = async (severity: number, name: string) =>
      (await decodeImage(join(target, "gaussian_noise", String(severity), wnids[0], name))).data;
    const whole = resize(await decodeImage(toy), 64, 64, { filter: "bilinear" });
    const { data: clean } = cropBox(whole, { left: 4, top: 4, width: 56, height: 56 });
    // Of one picture of noise, no matter how strong, nearly every pixel would be changed in the same direction.
    const alike = (a: Uint8Array, b: Uint8Array) => {
      const signs = clean.map((value, i) => (a[i] > value === b[i] > value ? 1 : 0));
      return signs.reduce((sum, one) => sum + one, 0) / signs.length;
    };
    const first = await pixels(1, "a.JPEG");
    assert.ok(alike(first, first) === 1);
    assert.ok(alike(first, await pixels(2, "a.JPEG")) < 0.75);
    assert.ok(alike(first, await pixels(1, "b.JPEG")) < 0.75);
  });

  it("goes on where it stopped, with the same images", async () => {
    const source = images();
    const [whole, stopped] = [temporaryFolder(), temporaryFolder()];
    await finish(await corruptions.generate(source, whole, options));
    for await (const _ of await corruptions.generate(source, stopped, { ...options, workers: 1 })) break;
    rmSync(join(stopped, "fog", "1", wnids[0], "a.JPEG"));
    const rest = await finish(await corruptions.generate(source, stopped, options));
    assert.ok(rest.kept > 0 && rest.written + rest.kept === 24, String(rest));
    for (const file of [`fog/1/${wnids[0]}/a.JPEG`, `glass_blur/4/${wnids[3]}/d.png.JPEG`]) {
      assert.deepEqual(readFileSync(join(stopped, file)), readFileSync(join(whole, file)));
    }
    await assert.rejects(
      corruptions.generate(source, stopped, { ...options, seed: 5 }),
      /was begun with \{"size":56,"seed":0\}, not with size 56 and seed 5/,
    );
  });

  it("writes an image for each one, whose names may differ in their endings alone, or refuses", async () => {
    const [source, target] = [temporaryFolder(), temporaryFolder()];
    layOut(
      source,
      ["x.jpg", "x.png", "x.webp", "x.tif", "y.png", "X.png", "b/x.tif"].map((name) => `a/${name}`),
      toy,
    );
    const one = { ...options, types: ["contrast" as const], severities: [3] };
    const run = await finish(await corruptions.generate(source, target, one));
    const written = readdirSync(join(target, "contrast", "3", "a"), { recursive: true });
    assert.deepEqual(written.map(String).sort(), [
      "X.png.JPEG",
      "b",
      join("b", "x.tif.JPEG"),
      "x.jpg",
      "x.png.JPEG",
      "x.tif.JPEG",
      "x.webp.JPEG",
      "y.png.JPEG",
    ]);
    assert.deepEqual([run.written, run.kept], [7, 0]);
    assert.equal((await finish(await corruptions.generate(source, target, one))).kept, 7);
    layOut(source, ["a/x.png.JPEG"], toy);
    await assert.rejects(
      corruptions.generate(source, target, one),
      /rename them:\n {2}a\/x\.png and a\/x\.png\.JPEG would both be a\/x\.png\.JPEG/,
    );
  });

  it("finds each image under its own name again when others were added or taken away", async () => {
    const [source, target] = [temporaryFolder(), temporaryFolder()];
    layOut(source, ["a/y.png"], toy);
    const one = { ...options, types: ["contrast" as const], severities: [3] };
    const counts = async () => {
      const { written, kept } = await finish(await corruptions.generate(source, target, one));
      return { written, kept };
    };
    assert.deepEqual(await counts(), { written: 1, kept: 0 });
    layOut(source, ["a/y.JPEG", "a/y.webp"], toy);
    assert.deepEqual(await counts(), { written: 2, kept: 1 });
    rmSync(join(source, "a", "y.JPEG"));
    rmSync(join(source, "a", "y.webp"));
    assert.deepEqual(await counts(), { written: 0, kept: 1 });
    const written = readdirSync(join(target, "contrast", "3", "a")).sort();
    assert.deepEqual(written, ["y.JPEG", "y.png.JPEG", "y.webp.JPEG"]);
  });

  it("writes through no link below its target, also where that leads into the source", async () => {
    const [source, target, elsewhere] = [images(), temporaryFolder(), temporaryFolder()];
    symlinkSync(elsewhere, join(target, "fog"));
    const one = { ...options, types: ["fog" as const], workers: 1 };
    await assert.rejects(
      corruptions.generate(source, target, one).then(finish),
      (error: { code: string; message: string }) =>
        error.code === "refused-file" &&
        /fog is a link; images are only written to folders of/.test(error.message),
    );
    assert.deepEqual(readdirSync(elsewhere), []);
    symlinkSync(source, join(elsewhere, "to-source"));
    await assert.rejects(
      corruptions.generate(source, join(elsewhere, "to-source", "new"), one),
      /the target .* lies inside the source/,
    );
    const linked = join(elsewhere, "linked");
    mkdirSync(join(elsewhere, "real"));
    symlinkSync(join(elsewhere, "real"), linked);
    assert.equal((await finish(await corruptions.generate(source, linked, one))).written, 8);
  });

  it("does a part of the images, and names those that cannot be read", async () => {
    const [source, target] = [images(), temporaryFolder()];
    await put(source, `${wnids[0]}/b.JPEG`, "no image");
    const run = await finish(
      await corruptions.generate(source, target, { ...options, shard: { index: 1, count: 2 } }),
    );
    assert.deepEqual([run.length, run.written, run.report.count], [2, 6, 1]);
    assert.match(run.report.skipped[0].reason, /b\.JPEG: cannot be decoded/);
    assert.ok(!existsSync(join(target, "fog", "1", wnids[3])));
  });

  it("refuses frost without photographs and everything else that cannot be, at once", async () => {
    const source = images();
    await assert.rejects(
      corruptions.generate(source, temporaryFolder()),
      /frost needs a folder of photographs/,
    );
    const wrong = { ...options, types: ["rain" as CorruptionType], severities: [0], size: 8 };
    await assert.rejects(
      corruptions.generate(source, join(source, "inside"), wrong),
      /types\[0\]: expected "gaussian_noise".*got 'rain'\n.*severities\[0\]: .*got 0\n.*size: .*from 32 .*got 8/,
    );
    await assert.rejects(
      corruptions.generate(source, join(source, "inside"), { types: ["frost"] }),
      /frost needs a folder of photographs.*lies inside the source/,
    );
    const frost = {
      types: ["frost" as const],
      severities: [2],
      size: 48,
      frost: join(shapesFolder, "val", "star"),
    };
    const run = await finish(await corruptions.generate(source, temporaryFolder(), frost));
    assert.equal(run.written, 4);
  });

  it("is a command, too", () => {
    const [source, target] = [images(), temporaryFolder()];
    writeFileSync(join(source, wnids[0], "\x1b]0;title\x07\n.png"), "no image");
    const cli = join(__dirname, "..", "..", "..", "..", "src", "cli.js");
    const words = ["corrupt", source, target, "--types", "contrast", "--severities", "2", "--size", "48"];
    const output = execFileSync(process.execPath, [cli, ...words], { encoding: "utf8" });
    assert.match(
      output,
      /5 images, 1 corruptions x 1 severities in .*: 4 files written, 0 kept; 1 unreadable/,
    );
    assert.ok(output.includes("\\x1b]0;title\\x07\\n.png: cannot be decoded"), output);
    assert.doesNotMatch(output, /\p{Cc}(?<!\n)/u);
    assert.ok(statSync(join(target, "contrast", "2", wnids[3], "d.png.JPEG")).size > 100);
  });
});
