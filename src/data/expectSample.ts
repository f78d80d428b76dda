import { LuvitError, listOffenders } from "../core/errors";
import { describeValue } from "../core/options";
import type { ImageDataset, Sample } from "./dataset";
import type { Planes } from "./pixels";

/** What a set promises of its samples. */
type SampleSource = Pick<ImageDataset, "size" | "ownShapes"> & Partial<Pick<ImageDataset, "classes">>;

/**
 * @throws LuvitError("bad-dataset") for a sample, of a set of somebody else's making, that is not what its set promises.
 * Where `place` is for bytes, they are there already, but for an image that stands for an unreadable one.
 */
export function expectSample(
  sample: Sample,
  { size, ownShapes, classes }: SampleSource,
  place: Planes = new Float32Array(),
): void {
  const { image, label, index } = sample ?? {};
  const { height = size, width = size } = ownShapes ? (sample ?? {}) : {};
  const length = 3 * height * width;
  const problems = [
    place instanceof Uint8Array && (image as Planes) !== place && index !== -1
      ? `image: expected its bytes from the reader (hasBytes), got ${describeValue(image)}`
      : "",
    (image instanceof Float32Array || (image as Planes) === place) && image.length === length
      ? ""
      : `image: expected a Float32Array of 3 x ${height} x ${width} = ${length} numbers, got ${describeValue(image)}`,
    !classes ||
    (ownShapes && classes.length === 0 && label === -1) ||
    (Number.isInteger(label) && label >= 0 && label < classes.length)
      ? ""
      : `label: expected a whole number from 0 to ${classes.length - 1}, got ${describeValue(label)}`,
    Number.isInteger(index) ? "" : `index: expected the image's position, got ${describeValue(index)}`,
  ].filter(Boolean);
  if (problems.length === 0) return;
  throw new LuvitError("bad-dataset", `a sample of the data set cannot be\n${listOffenders(problems)}`);
}
