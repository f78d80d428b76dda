import type { Exercise } from "../exercise";
import { drawRows } from "./rows";

type Image = readonly (readonly number[])[];

/** Patches of a gray image, row by row, each as its pixels row by row. */
function patchify(image: Image, p: number): number[][] {
  const [down, across] = [image.length / p, image[0].length / p];
  return Array.from({ length: down * across }, (_, i) =>
    pixelsOf(image, p, Math.floor(i / across), i % across),
  );
}

function pixelsOf(image: Image, p: number, row: number, column: number): number[] {
  const lines = image.slice(row * p, (row + 1) * p);
  return lines.flatMap((line) => line.slice(column * p, (column + 1) * p));
}

function byColumns(image: Image, p: number): number[][] {
  const patches = patchify(image, p);
  const [down, across] = [image.length / p, image[0].length / p];
  return patches.map((_, i) => patches[(i % down) * across + Math.floor(i / down)]);
}

const transposed = (rows: Image): number[][] => rows[0].map((_, i) => rows.map((row) => row[i]));

/** 01: an image becomes tokens. */
export const tokens: readonly Exercise[] = [
  {
    id: "tokens/count",
    expects: "a number of tokens",
    right: 197,
    praise: "14 × 14 patches and the class token: 197, the length of every sequence in ViT-B/16.",
    hint: "How many patches of 16 pixels fit along a side of 224, how many are that in both directions, and what comes first?",
    mistakes: [
      { answer: 196, hint: "These are the patches; one more token stands before them." },
      { answer: 14, hint: "That is one side of the grid." },
      { answer: 768, hint: "That is how long each token is, not how many there are." },
      { answer: 50_177, hint: "A patch is a token here, not a pixel." },
    ],
  },
  {
    id: "tokens/patchify",
    expects: "a function (image: number[][], p: number) => number[][]",
    right: patchify,
    inputs: (rng) => [
      [drawRows(rng, 4, 4), 2],
      [drawRows(rng, 4, 6), 2],
      [drawRows(rng, 3, 6), 3],
    ],
    praise: "Nothing is lost: from these rows the image can be put together again.",
    hint: "Two loops over the grid of patches, row by row; inside, two over the pixels of a patch, row by row.",
    mistakes: [
      {
        answer: (image: Image, p: number) => patchify(transposed(image), p),
        hint: "The patches and their pixels come column by column; row by row is meant.",
      },
      {
        answer: (image: Image, p: number) => byColumns(image, p),
        hint: "The patches come column by column; the loop over rows is the outer one.",
      },
      {
        answer(image: Image, p: number) {
          const pixels = image.flat();
          const count = pixels.length / (p * p);
          return Array.from({ length: count }, (_, i) => pixels.slice(i * p * p, (i + 1) * p * p));
        },
        hint: "The pixels are cut as they lie in memory, so that a row holds lines of the image and not squares.",
      },
      {
        answer: (image: Image, p: number) => patchify(image, p).map((pixels) => [...pixels].reverse()),
        hint: "Inside of a patch the pixels run backwards.",
      },
    ],
  },
  {
    id: "tokens/where",
    expects: "[row, column] in pixels",
    right: [16, 32],
    praise: "Token 17 is patch 16, the third of the second row: entropy maps are drawn with this rule.",
    hint: "Take the class token away, find row and column in the grid of 14 × 14, and go from patches to pixels.",
    mistakes: [
      { answer: [16, 48], hint: "Token 0 is the class token, so token 17 is patch 16." },
      { answer: [32, 16], hint: "Row first, then column." },
      { answer: [1, 2], hint: "That is the place in the grid; in pixels it is sixteen times as far." },
    ],
  },
];
