import { test } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { toy } from "../../../../src/data";
import { drawScene } from "../../../../src/data/toy/crowdedScene";
import { toyFiles } from "../../../../src/data/toy/toySet";
import type { RgbImage } from "../../../../src/figures/image";
import { approve, pixelsInWords } from "../../../support/approved";

/*
 * Toy sets are the same on every machine and in every version: published runs name their seeds.
 */

async function seen({ data, width, height }: RgbImage): Promise<string> {
  return pixelsInWords(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}

test("questions, their facts, answers and drawings follow from the seed", async () => {
  const lines: string[] = [];
  for (const combinations of ["trained", "held out"] as const) {
    const set = toy.questions(5, 36, { combinations, size: 32 });
    lines.push(String(set));
    for (let i = 0; i < set.length; i++) {
      const { objects, background } = set.facts(i);
      const facts = objects.map(
        ({ name, color, place, x, y }) => `${color} ${name} ${place} ${x.toFixed(3)} ${y.toFixed(3)}`,
      );
      lines.push(`${JSON.stringify(set.question(i))} ${facts.join("; ")} before ${background}`);
      if (i < 14) lines.push(await seen(set.pixels(i)));
    }
  }
  approve("data/questions", lines);
});

test("files of the toy set: images, swapped backgrounds, masks, words", async () => {
  const files = toyFiles({
    seed: 3,
    size: 24,
    train: 2,
    validation: 2,
    imageNet9: 2,
    trainSemi: 1,
    scenes: 2,
    validationScenes: 1,
    sceneSize: 40,
  });
  const lines: string[] = [`${files.length} files`];
  for (const [i, { path, draw }] of files.entries()) {
    if (i % 3 > 0 && !path.endsWith(".json")) {
      lines.push(path);
      continue;
    }
    const drawn = draw() as string | RgbImage;
    if (typeof drawn === "string") lines.push(path, ...drawn.split("\n").slice(0, 60));
    else lines.push(`${path} ${await seen(drawn)}`);
  }
  approve("data/toyFiles", lines);
});

test("scenes of several objects", async () => {
  const lines: string[] = [];
  for (let seed = 1; seed <= 9; seed++) {
    const { width, height, rgb, objects } = drawScene(36, new Rng(seed));
    lines.push(await seen({ width, height, data: rgb }));
    for (const { label, polygons, area, box } of objects)
      lines.push(`${label} ${area} [${box}] ${JSON.stringify(polygons)}`);
  }
  approve("data/scenes", lines);
});

test("drawings of all shapes, on their own, other and strange backgrounds", async () => {
  const lines: string[] = [];
  for (const background of ["original", "mixed_same", "mixed_rand"] as const) {
    const set = toy.drawings(9, background === "original" ? 12 : 6, { size: 24, background });
    for (let i = 0; i < set.length; i++) {
      const { shape, background: family, area } = set.facts(i);
      lines.push(`${shape} before ${family}, ${area} ${await seen(set.pixels(i))}`);
    }
  }
  approve("data/drawings", lines);
});
