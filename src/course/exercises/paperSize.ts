import type { Exercise } from "../exercise";

const IMAGES = 1_281_167;
const BATCH = 4096;
const STEPS = Math.floor(IMAGES / BATCH);
const EPOCHS = 800;

type Schedule = [step: number, total: number, warmup: number, peak: number];

const cosine = (share: number) => 0.5 * (1 + Math.cos(Math.PI * share));

/** 10: the same at paper size. */
export const paperSize: readonly Exercise[] = [
  {
    id: "paper/rate",
    expects: "a learning rate",
    right: 2.4e-3,
    praise:
      "lr = base · batch / 256. It is the *effective* batch that counts: images per worker × accumulated batches × workers.",
    hint: "The base rate is meant for 256 images a step; scale it by 4096 / 256.",
    mistakes: [
      { answer: 1.5e-4, hint: "That is the base rate, for 256 images." },
      { answer: 1.5e-4 * BATCH, hint: "Divided by 256." },
      { answer: 1.5e-4 * Math.sqrt(BATCH / 256), hint: "Linear scaling, not by the root." },
    ],
  },
  {
    id: "paper/steps",
    expects: "a number of steps",
    right: STEPS * EPOCHS,
    praise: "249,600 steps; the images that fill no batch are left out of each epoch.",
    hint: "Whole batches of 4096 in 1,281,167 images, times 800 epochs.",
    mistakes: [
      { answer: STEPS, hint: "That is one epoch." },
      { answer: (STEPS + 1) * EPOCHS, hint: "The last batch of an epoch is not full and is dropped." },
      { answer: Math.floor((IMAGES * EPOCHS) / BATCH), hint: "Each epoch drops its own remainder." },
    ],
  },
  {
    id: "paper/schedule",
    expects: "a function (step: number, total: number, warmup: number, peak: number) => number",
    right: (...[step, total, warmup, peak]: Schedule) =>
      step < warmup ? (peak * step) / warmup : peak * cosine((step - warmup) / (total - warmup)),
    inputs: () => [
      [5, 100, 10, 1],
      [10, 100, 10, 1],
      [55, 100, 10, 2],
      [80, 100, 20, 1],
    ],
    praise: "Up in a line, down along half a cosine: MAE's schedule.",
    hint: "Before the end of the warm-up peak · step / warmup; then half a cosine over what is left.",
    mistakes: [
      {
        answer: (...[step, total, , peak]: Schedule) => peak * cosine(step / total),
        hint: "There is no warm-up.",
      },
      {
        answer: (...[step, total, warmup, peak]: Schedule) =>
          step < warmup ? (peak * step) / warmup : peak * cosine(step / total),
        hint: "The cosine begins where the warm-up ends, so it takes total − warmup steps.",
      },
      {
        answer: (...[step, total, warmup, peak]: Schedule) =>
          step < warmup ? (peak * step) / warmup : peak * cosine((step - warmup) / total),
        hint: "The cosine has total − warmup steps, or it does not reach 0 at the end.",
      },
      {
        answer: (...[step, total, warmup, peak]: Schedule) =>
          step < warmup ? (peak * step) / warmup : peak * (1 - (step - warmup) / (total - warmup)),
        hint: "Down in a line; it is half a cosine.",
      },
    ],
  },
];
