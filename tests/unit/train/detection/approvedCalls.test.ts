import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend } from "../../../../src/core/tf";
import { CocoAnnotations, type DetectionDataset } from "../../../../src/data/coco";
import { batches } from "../../../../src/data/loader";
import { byScore, precisionCurve, recallPoints, verdicts } from "../../../../src/train/detection/accumulate";
import { detect } from "../../../../src/train/detection/detect";
import { DetectorFeeds } from "../../../../src/train/detection/feeds";
import { finderFunctions, ObjectFinder } from "../../../../src/train/detection/finder";
import { type Group, Groups } from "../../../../src/train/detection/groups";
import {
  areaRanges,
  countTruths,
  ignoredTruths,
  iouThresholds,
  matchGroup,
  verdictOf,
} from "../../../../src/train/detection/match";
import {
  averagePrecision,
  expectHeldOut,
  resultsOf,
  validate,
} from "../../../../src/train/detection/validate";
import { Calls } from "../../../support/calls";
import { scenes, smallDetector } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

type BoxNumbers = [number, number, number, number];

/** Images 7, 3 and 12 of 20 x 10 pixels, classes 2, 5 and 9, and objects [image, category, box, area, crowd]. */
function truthOf(
  objects: readonly (readonly [
    image: number,
    category: number,
    box: BoxNumbers,
    area?: number,
    crowd?: boolean,
  ])[],
) {
  const images = [7, 3, 12].map((id) => ({ id, fileName: `${id}.jpg`, width: 20, height: 10 }));
  const categories = [5, 2, 9].map((id) => ({ id, name: `class ${id}` }));
  const annotations = objects.map(([imageId, categoryId, box, area = box[2] * box[3], crowd = false], i) => {
    const [x, y, width, height] = box;
    const segmentation = [Float64Array.of(x, y, x + width, y, x + width, y + height, x, y + height)];
    return { id: i + 1, imageId, categoryId, box, area, crowd, segmentation };
  });
  return new CocoAnnotations(images, categories, annotations as never);
}

const result = (imageId: number, categoryId: number, score: number, box: BoxNumbers) => ({
  imageId,
  categoryId,
  score,
  box,
});

const objects = [
  [7, 2, [0, 0, 10, 10]],
  [3, 2, [2, 2, 4, 4]],
  [7, 5, [5, 0, 10, 6]],
  [7, 2, [10, 0, 8, 8], 64, true],
  [12, 9, [1, 1, 3, 3]],
] as const satisfies Parameters<typeof truthOf>[0];
const found = [
  result(7, 2, 0.5, [0, 0, 10, 8]),
  result(7, 2, 0.9, [0, 0, 9, 10]),
  result(7, 2, 0.7, [11, 1, 3, 3]),
  result(3, 2, 0.7, [2, 2, 4, 5]),
  result(3, 2, 0.7, [2, 2, 4, 4]),
  result(3, 5, 0.3, [0, 0, 1, 1]),
  result(7, 5, 0.2, [5, 0, 9, 6]),
  result(99, 5, 0.2, [5, 0, 9, 6]),
  result(7, 99, 0.2, [5, 0, 9, 6]),
];

test("objects and results in groups, what they match, and precision over recall", async () => {
  const calls = new Calls();
  calls.note("ranges", areaRanges);
  calls.note("thresholds", iouThresholds);
  calls.note("recalls", recallPoints);
  calls.note("verdicts", verdicts);
  const truth = truthOf(objects);
  for (const most of [100, 1]) {
    const groups = new Groups(truth, [...found], "bbox", most);
    for (let label = 0; label < groups.classes; label++)
      for (const group of groups.of(label))
        calls.note(`at most ${most}, class ${label}`, {
          ...group,
          truths: group.truths.map(({ id }) => id),
          results: group.results.map(({ score, box }) => [score, box![3]]),
        });
  }
  const made = (
    truths: { crowd?: boolean; area?: number }[],
    ious: number[][],
    areas = ious.map(() => 100),
  ) =>
    ({
      truths: truths.map(({ crowd = false, area = 100 }) => ({ crowd, area })),
      results: ious.map(() => ({})),
      areas: Float64Array.from(areas),
      ious: Float64Array.from(ious.flat()),
    }) as unknown as Group;
  const groups: [string, Group][] = [
    ["nothing", made([], [])],
    ["nothing found", made([{}, {}], [])],
    ["nothing there", made([], [[], []], [100, 2000])],
    ["one of one", made([{}], [[0.7], [0.9]])],
    ["just enough", made([{}], [[0.5]])],
    [
      "the better of two",
      made(
        [{}, {}],
        [
          [0.6, 0.8],
          [0.9, 0.85],
        ],
      ),
    ],
    [
      "equal ones",
      made(
        [{}, {}],
        [
          [0.7, 0.7],
          [0.7, 0.7],
        ],
      ),
    ],
    ["a crowd", made([{ crowd: true }], [[0.6], [0.7]])],
    [
      "a crowd and an object",
      made(
        [{ crowd: true }, {}],
        [
          [0.9, 0.6],
          [0.9, 0.8],
          [0.9, 0.1],
        ],
      ),
    ],
    [
      "objects of other sizes",
      made(
        [{ area: 2000 }, { area: 50 }],
        [
          [0.9, 0.1],
          [0.1, 0.9],
          [0, 0],
        ],
        [1500, 60, 5000],
      ),
    ],
    ["all of it", made([{}], [[1]])],
  ];
  for (const [what, group] of groups)
    for (const [range, limits] of Object.entries({
      all: areaRanges.all,
      small: areaRanges.small,
      medium: areaRanges.medium,
    })) {
      const matches = matchGroup(group, limits, [0.5, 0.75, 1]);
      calls.note(`${what}, ${range}`, [
        ignoredTruths(group, limits),
        countTruths(group, limits),
        matches.map((match) =>
          [...match.taken.keys()]
            .map((place) => `${match.taken[place]} ${verdictOf(match, place)}`)
            .join(", "),
        ),
      ]);
    }
  for (const [area, limits] of [
    [0, areaRanges.small],
    [1024, areaRanges.small],
    [1024, areaRanges.medium],
    [1025, areaRanges.small],
    [9216, areaRanges.large],
    [9215, areaRanges.large],
  ] as const)
    calls.note(`${area} in ${limits}`, ignoredTruths(made([{ area }], []), limits));
  await calls.of(byScore, Float64Array.of(0.5, 0.9, 0.5, 0.1, 0.9));
  await calls.of(byScore, new Float64Array(0));
  for (const [marks, truths] of [
    [[1, 1, 1], 3],
    [[1, 0, 1], 4],
    [[0, 0], 2],
    [[2, 1, 2, 0, 1], 2],
    [[], 3],
    [[1], 1],
  ] as const) {
    const hits = { scores: Float64Array.from(marks, (_, i) => 1 - i / 10), verdicts: Uint8Array.from(marks) };
    await calls.does(`precisionCurve of ${marks}, ${truths}`, () => {
      const { precision, scores, recall } = precisionCurve(hits, byScore(hits.scores), truths);
      const some = [0, 20, 25, 26, 33, 34, 50, 51, 66, 67, 75, 99, 100];
      return [recall, some.map((i) => precision[i]), some.map((i) => scores[i]), precision];
    });
  }
  const ap = (
    what: string,
    all: Parameters<typeof truthOf>[0],
    results: typeof found,
    kind: "bbox" | "segm" = "bbox",
  ) =>
    calls.does(`average precision of ${what}`, () =>
      averagePrecision(
        truthOf(all),
        results.map((one) => ({ ...one })),
        kind,
      ),
    );
  await ap("all", objects, found);
  await ap("nothing found", objects, []);
  await ap("nothing there", [], found);
  await ap(
    "the same",
    objects,
    objects.map(([image, category, box], i) => result(image, category, 1 - i / 10, [...box])),
  );
  await ap(
    "one class",
    objects.filter(([, category]) => category === 2),
    found,
  );
  await ap("a crowd alone", [[7, 2, [0, 0, 5, 5], 25, true]], found);
  await ap("masks of nothing", objects, [], "segm");
  calls.approve("train/detection/matches");
});

test("what is found in sets, and which can be asked about", async () => {
  const calls = new Calls();
  const [held, jittered] = [await scenes("val", 3), await scenes("train", 4)];
  const { settings } = smallDetector();
  const names = held.classes;
  const asked = (more: object) => ({ settings, classes: 6, classNames: undefined, ...more });
  for (const [what, set, model] of [
    ["held out", held, asked({})],
    ["by its names", held, asked({ classNames: names })],
    ["with a class more", held, asked({ classes: 7 })],
    ["in another order", held, asked({ classNames: [...names].reverse() })],
    ["with another name", held, asked({ classNames: [...names.slice(0, 5), "cod"] })],
    ["at random", jittered, asked({})],
    [
      "of another size",
      held,
      asked({ settings: { ...settings, encoder: { ...settings.encoder, imageSize: 64 } } }),
    ],
  ] as const)
    await calls.does(`expectHeldOut ${what}`, () => expectHeldOut(set, model as never, "here"));
  const truth = truthOf(objects);
  const ids = [3, 7, 12];
  const set = (broken: number[] = []) =>
    ({
      truth,
      length: ids.length,
      images: ids.map((id) => ({ id })),
      load: async (index: number) => ({
        index: broken.includes(index) ? index + 1 : index,
        imageId: ids[index],
        image: Float32Array.of(index),
        geometry: { covered: { width: 20 - index, height: 10 } },
      }),
    }) as unknown as DetectionDataset;
  const log: unknown[] = [];
  const finder = (masks: boolean) =>
    ({
      find: async (image: { values: Float32Array }) => {
        log.push(image);
        const boxes = [
          [2, 2, 6, 6],
          [0, 0, 10, 9],
          [1, 1, 4, 4],
        ][image.values[0]];
        return {
          boxes: Float32Array.of(...boxes, 1, 1, 2, 2),
          scores: Float32Array.of(0.9, 0.1),
          labels: Int32Array.of([0, 0, 2][image.values[0]], 1),
          ...(masks && { masks: ["first", "second"] }),
        };
      },
    }) as unknown as ObjectFinder;
  for (const masks of [false, true])
    for (const index of [0, 1, 2])
      await calls.does(`resultsOf ${index}, masks ${masks}`, () => resultsOf(finder(masks), set(), index));
  await calls.does("resultsOf one that cannot be read", () => resultsOf(finder(false), set([1]), 1));
  calls.note("asked", log.slice(0, 3));
  const alone = { rank: 0, size: 1, gather: async <T>(own: T) => [own] };
  await calls.does("validate", () => validate(finder(false), set(), false, alone));
  await calls.does("validate with one that cannot be read", () =>
    validate(finder(false), set([1]), false, alone),
  );
  await calls.does("validate by two", async () => {
    const parts: unknown[] = [];
    const noting = async <T>(own: T) => {
      parts.push(own);
      return [own, own];
    };
    for (const rank of [0, 1])
      await validate(finder(false), set(), false, { rank, size: 2, gather: noting }).catch(() => {});
    return [
      parts,
      await validate(finder(false), set(), false, { rank: 0, size: 2, gather: async () => parts as never }),
    ];
  });
  calls.approve("train/detection/sets");
});

test("a detector's steps, its graphs and what it finds", async () => {
  const calls = new Calls();
  const model = smallDetector({ seed: 3 });
  const set = await scenes("train", 4);
  const described = (
    fed: Record<string, { data: ArrayLike<number>; shape: readonly number[]; dtype?: string }>,
  ) =>
    Object.fromEntries(
      Object.entries(fed).map(([name, { data, shape, dtype }]) => [
        name,
        [shape, dtype, data.constructor.name],
      ]),
    );
  for (const masks of [true, false]) {
    const functions = finderFunctions(smallDetector({ masks }));
    for (const [name, { inputs }] of Object.entries(functions)) calls.note(`masks ${masks}, ${name}`, inputs);
  }
  for (const [dropPath, normalize] of [
    [0, "image"],
    [0.5, "image"],
    [0, "batch"],
  ] as const) {
    const feeds = new DetectorFeeds(model, { dropPath, normalize });
    calls.note(`proposing with ${dropPath}`, feeds.proposing(3).inputs);
    for await (const batch of batches(set, { batchSize: 2, shuffle: false, dropLast: false })) {
      const first = feeds.first(batch, new Rng(2));
      calls.note(`feeds with ${dropPath}, ${normalize}`, described(first));
      const { logits, deltas } = finderInputs(feeds, 2);
      const log: string[] = [];
      const refined = await feeds.refined(first, batch, new Rng(2), async (name, fed) => {
        log.push(`${name} of ${Object.keys(fed)}`);
        return { logits: new Float32Array(logits), deltas: new Float32Array(deltas) };
      });
      calls.note("  refined", [log, Object.keys(refined).filter((name) => refined[name] !== first[name])]);
      break;
    }
  }
  const finder = await ObjectFinder.open(model, { engine: "eager" });
  const size = { width: 48, height: 48 };
  const values = Float32Array.from({ length: 3 * 48 * 48 }, (_, i) => ((i * 37) % 101) / 50 - 1);
  const find = async (what: string, covered: typeof size, original: typeof size) => {
    const { boxes, scores, labels, masks } = await finder.find({ values, covered, original });
    const [right, bottom] = [
      Math.max(...boxes.filter((_, i) => i % 4 === 2)),
      Math.max(...boxes.filter((_, i) => i % 4 === 3)),
    ];
    calls.note(what, [
      boxes.length,
      scores.length,
      labels.length,
      masks?.length,
      masks?.[0] && Object.keys(masks[0]),
      right <= original.width,
      bottom <= original.height,
      [...scores].every((score, i) => i === 0 || score <= scores[i - 1]),
    ]);
  };
  await find("found", size, size);
  await find("found in a part, of a larger image", { width: 48, height: 30 }, { width: 96, height: 60 });
  await finder.dispose();
  await calls.does("ObjectFinder of no detector", () => new ObjectFinder({} as never, {} as never));
  await calls.does("ObjectFinder.open of no detector", () => ObjectFinder.open({} as never));
  await calls.does("ObjectFinder.open of other options", () => ObjectFinder.open(model, { threads: -1 }));

  const told = { epochs: 1, batchSize: 2, lr: 1e-3, out: false } as const;
  const held = await scenes("val", 2);
  for (const [what, begin] of [
    ["no detector", () => detect({} as never, set, told)],
    ["no set", () => detect(model, [] as never, told)],
    ["no options", () => detect(model, set, {} as never)],
    [
      "another size",
      () =>
        detect(smallDetector(), set.withTransform(held.transform), {
          ...told,
          validation: held.withTransform(set.transform) as never,
        }),
    ],
    ["no objects", () => detect(model, set.subset([]), told)],
    ["too few images", () => detect(model, set, { ...told, batchSize: 64 })],
    ["a validation without objects", () => detect(model, set, { ...told, validation: held.subset([]) })],
  ] as const)
    await calls.does(`detect with ${what}`, () => begin().name);
  calls.approve("train/detection/detectors");
});

/** Numbers of anchors' logits and deltas of so many images. */
function finderInputs(feeds: DetectorFeeds, images: number) {
  const anchors = Reflect.get(feeds, "anchors") as { all: Float32Array };
  const count = anchors.all.length / 4;
  return { logits: images * count, deltas: 4 * images * count };
}
