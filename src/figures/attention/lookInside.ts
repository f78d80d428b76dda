import { type AttentionMaps, attentionMaps } from "../../analysis/attentionMaps";
import { expectLabel } from "../../analysis/expectLabel";
import { type GivenImages, givenImages } from "../../analysis/givenImages";
import { type LookOptions, looking } from "../../analysis/options";
import { softmaxOf } from "../../analysis/softmax";
import { LuvitError } from "../../core/errors";
import { checkOptions, either, flag, list, oneOf, optionsOf, text, whole } from "../../core/options";
import { engineOf } from "../../engine";
import { type Classifier, classifierField } from "../../models/classifier";
import type { Numbers } from "./browser/evidence";
import { type ClassRelevanceMethod, gatedImage, gather, logitsOf } from "./gather";
import { takeQuestions } from "./headQuestions";
import { expectComparable, type PageClasses, viewerPage } from "./page";
import { AttentionViewer, type AttentionViewerOptions, attentionViewerOptions } from "./viewer";

/** What `lookInside` computes; nothing beyond attention and the answer unless it is asked for. */
export interface LookInsideOptions extends AttentionViewerOptions, LookOptions {
  /** Which image of a set, or which two; default the first. */
  index?: number | readonly number[];
  /** Classes that can be chosen in the page; default the five likeliest of every model, and the image's own. */
  classes?: readonly number[];
  /** Names of the classes in label order; default the model's own, the set's, else numbers. */
  classNames?: readonly string[];
  /** Maps of where the evidence for each of these classes is; default none. */
  relevance?: readonly ClassRelevanceMethod[];
  /** What every patch says at every layer; default false. */
  lens?: boolean;
  /** How long the tokens are that each layer is given; default false. */
  norms?: boolean;
  /** A square per head of every layer, colored by entropy and distance; default what `ablate` is. */
  heads?: boolean;
  /** The answer without each head, what `ablateHeads` takes for one image; default false. */
  ablate?: boolean;
}

const places = whole(0, 1_000_000_000);

export const lookInsideOptions = optionsOf<LookInsideOptions>(
  {},
  {
    ...looking,
    ...attentionViewerOptions.optional,
    index: either(places, list(places, 1)),
    classes: list(whole(0, 65_535), 1),
    classNames: list(text, 1),
    relevance: list(oneOf(["chefer", "legrad", "gradcam", "gradient-rollout"])),
    lens: flag,
    norms: flag,
    heads: flag,
    ablate: flag,
  },
);

/**
 * Looks into a classifier, or two, with an image, or into one with two images, on one page that needs nothing else: where
 * patches look, layer by layer and head by head, and what it answers. On request where the evidence for a class is, what
 * each patch says at each layer, how long tokens are, and what the answer is without any one head. `save("page.html")`
 * writes it.
 *
 * @throws LuvitError("bad-argument") for more than two models or images, models with different classes or patches, classes
 * and layers that are not there, and layers that do not fit into `maxBytes`; "bad-dataset" for an unreadable image.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const page = await luvit.figures.lookInside(model, images, { index: 3, relevance: ["chefer"], lens: true });
 * page.save("inside.html");
 */
export async function lookInside(
  models: Classifier | readonly Classifier[],
  images: GivenImages,
  options: LookInsideOptions = {},
): Promise<AttentionViewer> {
  checkOptions("lookInside", either(classifierField, list(classifierField, 1)), models);
  checkOptions("lookInside", givenImages, images);
  checkOptions("lookInside", lookInsideOptions, options);
  const { title = "What is in there?", layers, maxBytes = 2_400_000, labels, index, ...rest } = options;
  const { classes, classNames, relevance = [], lens = false, norms = false, ablate = false, ...more } = rest;
  const { heads = ablate, ...engine } = more;
  const pairs = pairsOf([models].flat(), images, index);
  expectNames(classNames, pairs[0].model.classes);
  const titles = labels ?? (pairs.length > 1 ? namesOf(pairs) : ["model"]);
  const maps: AttentionMaps[] = [];
  for (const { model, given, at } of pairs)
    maps.push(await attentionMaps(model, given, { index: at, ...engine }));
  expectComparable("lookInside", maps, titles);
  const ownShape = "load" in images && images.ownShapes === true;
  const logits: Float32Array[] = [];
  for (const [i, { model }] of pairs.entries())
    logits.push(await logitsOf(model, { sample: maps[i].sample, ownShape }, engine));
  const chosen = classes ?? likeliest(logits, maps);
  for (const one of chosen) expectLabel("lookInside: class", one, pairs[0].model.classes);
  const what = { relevance, lens, norms, heads: heads || ablate, ablate, ownShape, engine };
  const numbers: Numbers[] = [];
  for (const [i, { model }] of pairs.entries())
    numbers.push(await gather(model, maps[i], logits[i], chosen, what));
  const names = classNames ?? pairs[0].model.classNames ?? ("load" in images ? images.classes : []);
  const named = withNames(numbers, chosen, names);
  const shown = maps.map((one, i) => ({ title: titles[i], maps: one, numbers: named.numbers[i] }));
  const about = { labels: named.labels, choices: named.choices, methods: relevance };
  const asked = pairs.map(({ model }, i) => ({
    ...{ model, image: gatedImage(model, { sample: maps[i].sample, ownShape }, engine) },
  }));
  const name = (label: number) => names[label] ?? `class ${label}`;
  const live = ablate
    ? takeQuestions({ models: asked, choices: chosen, name, engine: engineOf(engine) })
    : undefined;
  return new AttentionViewer(await viewerPage(shown, about, { title, layers, maxBytes, live }));
}

interface Pair {
  readonly model: Classifier;
  readonly given: GivenImagesOfOne;
  readonly at: number;
  readonly name: string;
}

type GivenImagesOfOne = Parameters<typeof attentionMaps>[1];

/** What stands in each half of the page. */
function pairsOf(
  models: readonly Classifier[],
  images: GivenImages,
  index: number | readonly number[] = 0,
): Pair[] {
  const isSet = "load" in images;
  const given: { given: GivenImagesOfOne; at: number; name: string }[] = isSet
    ? [index].flat().map((at) => ({ given: images, at, name: `image ${at}` }))
    : [images].flat().map((one, i) => ({ given: one as GivenImagesOfOne, at: 0, name: `image ${i + 1}` }));
  const count = models.length * given.length;
  const classes = models.map((model) => model.classes);
  const problems = [
    count > 2
      ? `${models.length} models and ${given.length} images; two of one and one of the other is most`
      : "",
    new Set(classes).size > 1 ? `models with ${classes.join(" and ")} classes cannot stand side by side` : "",
  ].filter(Boolean);
  if (problems.length > 0) throw new LuvitError("bad-argument", `lookInside: ${problems.join("; ")}`);
  return models.flatMap((model) => given.map((one) => ({ model, ...one })));
}

/** @throws LuvitError("bad-argument") for names of more or fewer classes than the model has. */
function expectNames(names: readonly string[] | undefined, classes: number): void {
  if (names === undefined || names.length === classes) return;
  const what = `classNames has ${names.length} names, and the model ${classes} classes`;
  throw new LuvitError("bad-argument", `lookInside: ${what}`);
}

function namesOf([one, other]: readonly Pair[]): string[] {
  return one.model === other.model ? [one.name, other.name] : ["model A", "model B"];
}

/** The five likeliest classes of every model and the image's own, the first model's order first. */
function likeliest(logits: readonly Float32Array[], maps: readonly AttentionMaps[]): number[] {
  const found = logits.flatMap((row) => {
    const chances = softmaxOf(row);
    return [...chances.keys()].sort((a, b) => chances[b] - chances[a] || a - b).slice(0, 5);
  });
  const own = maps
    .map(({ sample }) => sample.label)
    .filter((label) => label >= 0 && label < logits[0].length);
  return [...new Set([...found, ...own])];
}

/** Classes that are spoken of, with their names; in the numbers their places among these in place of the model's. */
function withNames(
  numbers: readonly Numbers[],
  chosen: readonly number[],
  names: readonly string[],
): Pick<PageClasses, "labels" | "choices"> & { numbers: Numbers[] } {
  const isLabel = (name: string) => name.endsWith(".label");
  const spoken = numbers.flatMap((one) =>
    [...one].filter(([name]) => isLabel(name)).flatMap(([, values]) => [...values]),
  );
  const classes = [...new Set([...chosen, ...spoken])];
  const place = new Map(classes.map((one, i) => [one, i]));
  return {
    labels: classes.map((one) => names[one] ?? `class ${one}`),
    choices: chosen.map((one) => place.get(one)!),
    numbers: numbers.map(
      (one) =>
        new Map(
          [...one].map(([name, values]) => [
            name,
            isLabel(name) ? Uint16Array.from(values, (label) => place.get(label)!) : values,
          ]),
        ),
    ),
  };
}
