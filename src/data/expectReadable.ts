import { LuvitError, listOffenders } from "../core/errors";
import { Rng } from "../core/rng";
import { type ImageDataset, spreadIndices } from "./dataset";
import { defaultWorkers, readerWith } from "./reading";
import { UnreadableClass } from "./unreadable";

/** Share of a set's images that may be unreadable where nothing else is said. */
export const defaultUnreadableShare = 0.1;

/** Images looked at beside one of each class; sets of up to so many are looked at whole. */
const sampleSize = 256;

/** Read at a time. */
const groupSize = 32;

/**
 * Reads one image of each class and up to 256 more, spread evenly, before anything is computed with a set: a class of
 * which nothing can be read, or more than `share` of unreadable images, is no set to train with. Of larger sets the
 * share is an estimate, and refused where it lies three standard deviations above.
 *
 * @throws LuvitError("bad-dataset") that names all of it.
 */
export async function expectReadable(dataset: ImageDataset, share = defaultUnreadableShare): Promise<void> {
  if (!(share >= 0 && share <= 1))
    throw new LuvitError("bad-argument", `maxUnreadable is ${share}, expected a share of 0 … 1`);
  const { report, length } = dataset;
  const { replaced } = report;
  const view = dataset.take(length); // whoever watches the set itself sees only what is trained with
  const problems = await classesWithoutImages(view);
  const looked = spreadIndices(length, sampleSize);
  const missing = (await loadAll(view, looked)).filter((one) => one !== "readable").length;
  report.replaced = replaced; // by nothing that is trained with
  const noise = looked.length < length ? 3 * Math.sqrt(looked.length * share * (1 - share)) : 0;
  if (missing > share * looked.length + noise) {
    const found = `${missing} of ${looked.length} images${noise > 0 ? ", spread over the set," : ""} cannot be read`;
    problems.push(describe(found, missing / looked.length, share));
  }
  if (problems.length === 0) return;
  const summary = `nothing is trained with these images:\n${listOffenders(problems)}`;
  const reasons = listOffenders(report.skipped.map(({ reason }) => reason));
  throw new LuvitError("bad-dataset", `${summary}\nunreadable so far:\n${reasons}`);
}

/** An error where more than `share` of a set's images turned out to be unreadable. */
export function tooManyUnreadable(
  { report, length }: Pick<ImageDataset, "report" | "length">,
  share = defaultUnreadableShare,
): LuvitError | undefined {
  if (report.count <= share * length) return undefined;
  const found = `${report.count} of ${length} images could not be read so far`;
  return new LuvitError("bad-dataset", `${describe(found, report.count / length, share)}\n${report}`);
}

function describe(found: string, part: number, share: number): string {
  const percent = (value: number) => `${Number((100 * value).toPrecision(3))} %`;
  return `${found} (${percent(part)}); at most ${percent(share)} may be (maxUnreadable)`;
}

/** What is wrong with classes of which nothing can be read. */
async function classesWithoutImages(dataset: ImageDataset): Promise<string[]> {
  const first = new Map<number, number>();
  for (let i = 0; i < dataset.length; i++) {
    const label = dataset.label(i);
    if (!first.has(label)) first.set(label, i);
  }
  const found = await loadAll(dataset, [...first.values()]);
  return found.flatMap((one) => (one instanceof UnreadableClass ? [headline(one)] : []));
}

/** What came of loading an image, itself and not another one. */
type Found = "readable" | "unreadable" | UnreadableClass;

/** Loads images and forgets them again: whether each can be read, or why nothing of its class can. */
async function loadAll(dataset: ImageDataset, indices: readonly number[]): Promise<Found[]> {
  const reader = readerWith(defaultWorkers(dataset.size));
  const load = (index: number): Promise<Found> =>
    dataset.load(index, new Rng(0).fork("readable", index), reader).then(
      (sample) => (sample.index === index ? "readable" : "unreadable"),
      (error: unknown) => {
        if (error instanceof UnreadableClass) return error;
        throw error;
      },
    );
  const found: Found[] = [];
  for (let start = 0; start < indices.length; start += groupSize) {
    found.push(...(await Promise.all(indices.slice(start, start + groupSize).map(load))));
  }
  return found;
}

function headline(error: LuvitError): string {
  return error.message.split("\n")[0].replace(/:$/, "");
}
