import { test } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { corruptions } from "../../../../src/data";
import { corruptionTypes } from "../../../../src/data/corruptionTypes";
import { approve, pixelsInWords } from "../../../support/approved";
import { paintedImage } from "../support";

/*
 * Constants, order of random numbers and edges of every corruption at every severity: images that were made once can be
 * made again. That they are those of the official code is seen in the golden case.
 */

const image = paintedImage(72, 56, (x, y) => [(3 * x + 40) % 256, (4 * y) % 256, (x * y) % 256]);
const photograph = (shift: number) =>
  paintedImage(90 + shift, 80, (x, y) => [(x * 5 + shift) % 256, (y * 3) % 256, (x + y) % 256]);

for (const type of corruptionTypes)
  test(`${type} at five severities`, async () => {
    const frost = [0, 30].map(photograph);
    const lines: string[] = [];
    for (const severity of [1, 2, 3, 4, 5]) {
      const { data, width, height } = await corruptions.apply(image, type, severity, new Rng(4), { frost });
      lines.push(
        `${severity} ${await pixelsInWords(
          await sharp(data, { raw: { width, height, channels: 3 } })
            .png()
            .toBuffer(),
        )}`,
      );
    }
    approve(`data/corruptions/${type}`, lines);
  });
