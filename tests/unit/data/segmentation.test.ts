import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import sharp from "sharp";
import { Rng } from "../../../src/core/rng";
import { imageNetS, type MaskedSample } from "../../../src/data";
import { decodeMaskIds, maskCells, maskIds } from "../../../src/data/masks";
import { unnormalize } from "../../../src/data/pixels";
import { mae, none, segment } from "../../../src/data/transforms";
import { assertRejects } from "../io/support";
import { flatPng, put, temporaryFolder } from "./support";

/** Images whose red is 40 times the id of their mask, of classes n01 and n02, in ImageNet-S's layout. */
async function semi(): Promise<string> {
  const root = join(temporaryFolder(), "ImageNetS50");
  const [width, height] = [60, 44];
  const idAt = (x: number, y: number) => (x > 12 && x < 40 && y > 5 && y < 30 ? 1 + (x > 25 ? 1 : 0) : 0);
  for (const [label, name] of ["n01", "n02"].entries()) {
    for (let i = 0; i < 3; i++) {
      const draw = (color: (id: number) => number[]) =>
        sharp(
          Uint8Array.from({ length: 3 * width * height }, (_, at) => {
            const pixel = Math.floor(at / 3);
            return color(idAt(pixel % width, Math.floor(pixel / width)))[at % 3];
          }),
          { raw: { width, height, channels: 3 } },
        )
          .png()
          .toBuffer();
      await put(root, `train-semi/${name}/${label}${i}.png`, await draw((id) => [40 * id, 90, 160]));
      await put(
        root,
        `train-semi-segmentation/${name}/${label}${i}.png`,
        await draw((id) => [id === 2 ? 232 : id, id === 2 ? 3 : 0, 0]),
      );
    }
  }
  return root;
}

test("the part that is trained with is opened by its name, and its published size is expected", async () => {
  const root = await semi();
  const set = await imageNetS({
    root,
    split: "train-semi",
    variant: 50,
    partial: true,
    patch: 4,
    transform: segment(32),
  });
  assert.deepEqual([set.length, set.classes], [6, ["n01", "n02"]]);
  const whole = () => imageNetS({ root, split: "train-semi", variant: 50 });
  await assertRejects(
    whole,
    "bad-dataset",
    "expected 500 masks and 50 class folders, found 6 and 2 in train-semi",
  );
  await assertRejects(
    () => imageNetS({ root, split: "test" as never }),
    "bad-argument",
    'split: expected "validation" or "train-semi"',
  );
});

test("masks go where the image goes, whatever is drawn, and its colors do not matter to them", async () => {
  const set = await imageNetS({ root: await semi(), split: "train-semi", patch: 4, transform: segment(32) });
  const drawn = new Set<string>();
  let apart = 0;
  for (let seed = 0; seed < 40; seed++) {
    const sample: MaskedSample = await set.load(seed % 6, new Rng(seed));
    const again = await set.load(seed % 6, new Rng(seed));
    assert.deepEqual(again, sample);
    drawn.add(sample.ids.join());
    assert.ok(sample.ids.every((id) => id === 0 || id === 1 || id === 1000));
    if (separation(sample) > 0.9) apart++;
  }
  assert.ok(drawn.size > 35, `${drawn.size} different masks`);
  assert.ok(apart >= 37, `${apart} of 40 masks fit their image`); // jitter can make colors one
});

/** The share of pixels whose color is nearest to the mean color of their own id. */
function separation({ image, ids }: MaskedSample): number {
  const { data } = unnormalize(image, 32, 32);
  const colorOf = (i: number) => [...data.subarray(3 * i, 3 * i + 3)];
  const means = [...new Set(ids)].map((id) => {
    const own = [...ids.keys()].filter((i) => ids[i] === id).map(colorOf);
    return { id, color: [0, 1, 2].map((c) => own.reduce((sum, color) => sum + color[c], 0) / own.length) };
  });
  const nearest = (color: number[]) => {
    const far = means.map((mean) => Math.hypot(...mean.color.map((value, c) => value - color[c])));
    return means[far.indexOf(Math.min(...far))].id;
  };
  return ids.filter((id, i) => nearest(colorOf(i)) === id).length / ids.length;
}

test("transforms that leave masks behind are refused", async () => {
  const root = await semi();
  const set = await imageNetS({ root, split: "train-semi", patch: 4, transform: segment(32) });
  assert.throws(() => set.withTransform(mae(32)), /mae cannot carry a mask along; use transforms.segment/);
  assert.equal(set.withTransform(none(32)).size, 32);
  await assertRejects(
    () => imageNetS({ root, transform: mae(32) as never }),
    "bad-argument",
    "takes masks along",
  );
});

test("images without a mask are left out, counted and said", async () => {
  const root = await semi();
  const masks = join(root, "train-semi-segmentation");
  rmSync(join(masks, "n01", "01.png"));
  const set = await imageNetS({ images: join(root, "train-semi"), masks, patch: 4, transform: segment(32) });
  assert.deepEqual([set.length, set.withoutMask], [5, 1]);
  assert.match(inspect(set), /5 images with masks, .*left out for want of a mask: 1/);
  for (const view of [set.withTransform(none(32)), set.take(2), set.subset([0])])
    assert.equal(view.withoutMask, 1);
});

test("a mask belongs to the image of its class and name, and where classes were merged to that of its name", async () => {
  const root = temporaryFolder();
  const open = () =>
    imageNetS({ images: join(root, "images"), masks: join(root, "masks"), transform: none(16) });
  for (const [i, name] of ["n01", "n02", "n03"].entries()) {
    await put(root, `images/${name}/same.png`, await flatPng(16, 16, [80 * i, 0, 0]));
    await put(root, `masks/${name}/same.png`, await flatPng(16, 16, [1 + i, 0, 0]));
  }
  const set = await open();
  for (const i of [0, 1, 2]) {
    const { path, label, image, ids } = await set.load(i, new Rng(0));
    assert.deepEqual([path, label], [join(root, "images", `n0${i + 1}`, "same.png"), i]);
    assert.deepEqual([unnormalize(image, 16, 16).data[0], ids[0]], [80 * i, 1 + i]);
  }
  await put(root, "images/n02/own.png", await flatPng(16, 16, [7, 0, 0]));
  await put(root, "masks/merged/own.png", await flatPng(16, 16, [9, 0, 0]));
  const merged = await open();
  assert.deepEqual([merged.path(0), merged.label(0)], [join(root, "images", "n02", "own.png"), 1]);
  assert.equal((await merged.load(0, new Rng(0))).ids[0], 9);
});

test("ids of a mask are red and 256 times green, of a file or of bytes in the middle of others", async () => {
  const data = Uint8Array.of(0, 0, 0, 7, 0, 255, 0, 1, 9, 232, 3, 0, 255, 255, 1, 1, 2, 3);
  const expected = { ids: Int32Array.of(0, 7, 256, 1000, 65535, 513), width: 3, height: 2 };
  assert.deepEqual(maskIds({ data, width: 3, height: 2 }), expected);
  const png = await sharp(data, { raw: { width: 3, height: 2, channels: 3 } })
    .png()
    .toBuffer();
  assert.deepEqual(await decodeMaskIds(png), expected);
  const among = Buffer.concat([Buffer.alloc(13, 1), png, Buffer.alloc(5, 2)]);
  assert.deepEqual(
    await decodeMaskIds(new Uint8Array(among.buffer, among.byteOffset + 13, png.length)),
    expected,
  );
});

test("a mask is a PNG file, of no more pixels than its bytes can hold", async () => {
  const large = await flatPng(4000, 3000, [1, 0, 0]);
  assert.equal((await decodeMaskIds(large)).ids.length, 12_000_000);
  const claiming = Buffer.from(large);
  claiming.writeUInt32BE(2 ** 31 - 1, 16);
  await assert.rejects(decodeMaskIds(claiming), /\d+ bytes cannot hold 2147483647 x 3000 pixels/);
  const jpeg = await sharp(large).jpeg().toBuffer();
  await assert.rejects(decodeMaskIds(jpeg), /expected a mask in PNG, found \d+ bytes of something else/);
  await assert.rejects(decodeMaskIds(large.subarray(0, 32)), /expected a mask in PNG, found 32 bytes/);
  await assert.rejects(decodeMaskIds("/no/such/mask.png"), /mask\.png: cannot be read/);
});

test("a cell is foreground with one pixel of a class, and no cell where all pixels are to be ignored", () => {
  // Two rows of three cells of 2 x 2 pixels, with a column and a row that fill none.
  const ids = Int32Array.of(
    ...[0, 0, 1000, 1000, 1000, 0, 9],
    ...[0, 5, 1000, 1000, 0, 1000, 9],
    ...[1000, 3, 0, 0, 999, 1001, 9],
    ...[1000, 1000, 0, 0, 0, 0, 9],
    ...[9, 9, 9, 9, 9, 9, 9],
  );
  assert.deepEqual(maskCells(ids, 7, 2), {
    rows: 2,
    columns: 3,
    foreground: Uint8Array.of(1, 0, 0, 1, 0, 1),
    valid: Uint8Array.of(1, 0, 1, 1, 1, 1),
  });
  assert.deepEqual(maskCells(Int32Array.of(4), 1, 1), {
    rows: 1,
    columns: 1,
    foreground: Uint8Array.of(1),
    valid: Uint8Array.of(1),
  });
  for (const [count, width, patch] of [
    [6, 4, 1],
    [6, 3, 3],
    [6, 2, 3],
    [0, 2, 1],
  ])
    assert.throws(() => maskCells(new Int32Array(count), width, patch), {
      code: "shape-mismatch",
      message: new RegExp(`${count} ids of width ${width} give no whole cell of ${patch} px`),
    });
});
