import { type Boxes, boxAt, clipBoxes, isLarger, type Size, takeBoxes } from "./boxes";
import { byScore, suppress } from "./suppress";

export interface DetectionSettings {
  /** A class of a proposal counts where its score is greater; compared in single precision. */
  scoreThreshold: number;
  /** Overlap from which on the weaker of two boxes of a class is left out. */
  threshold: number;
  perImage: number;
}

/** What was found in one image, best first. */
export interface Detections {
  readonly boxes: Boxes;
  readonly scores: Float32Array;
  /** Labels. */
  readonly classes: Int32Array;
  /** The proposal of each. */
  readonly rows: Int32Array;
}

/**
 * Detections from the probabilities [R, K + 1] of proposals, background last, and a box of each for each class
 * [R, K, 4]. Rows that are not finite are left out, and not counted in `rows`.
 * Reference: detectron2 modeling/roi_heads/fast_rcnn.py fast_rcnn_inference_single_image.
 */
export function findDetections(
  boxes: Boxes,
  probabilities: Float32Array,
  classes: number,
  image: Size,
  { scoreThreshold, threshold, perImage }: DetectionSettings,
): Detections {
  const width = classes + 1;
  const isFiniteRow = (row: number) =>
    boxes.subarray(4 * row * classes, 4 * (row + 1) * classes).every(Number.isFinite) &&
    probabilities.subarray(row * width, (row + 1) * width).every(Number.isFinite);
  const rows = Array.from({ length: probabilities.length / width }, (_, row) => row).filter(isFiniteRow);
  const least = Math.fround(scoreThreshold);
  const found = rows.flatMap((row, at) =>
    Array.from({ length: classes }, (_, label) => ({ label, at, place: row * classes + label })).filter(
      ({ label }) => probabilities[row * width + label] > least,
    ),
  );
  const scores = Float32Array.from(found, ({ label, at }) => probabilities[rows[at] * width + label]);
  const candidates = clipBoxes(
    takeBoxes(
      boxes,
      found.map(({ place }) => place),
    ),
    image,
  );
  const order = byScore(
    scores,
    found.map((_, i) => i),
  );
  const kept = Array.from({ length: classes }, (_, label) =>
    order.filter((i) => found[i].label === label),
  ).flatMap((ofClass) => [...suppress(candidates, ofClass, threshold, perImage)]);
  const best = byScore(scores, kept).subarray(0, perImage);
  return {
    boxes: takeBoxes(candidates, best),
    scores: Float32Array.from(best, (i) => scores[i]),
    classes: best.map((i) => found[i].label),
    rows: best.map((i) => found[i].at),
  };
}

/**
 * Boxes of the network's image of `from` pixels in one of `to`: stretched along each axis, cut, empty ones gone.
 * `kept` are the numbers of those that remain. Reference: detectron2 modeling/postprocessing.py.
 */
export function rescaleBoxes(boxes: Boxes, from: Size, to: Size): { boxes: Boxes; kept: Int32Array } {
  const [across, down] = [to.width / from.width, to.height / from.height];
  const scaled = clipBoxes(
    boxes.map((edge, i) => edge * (i % 2 === 0 ? across : down)),
    to,
  );
  const kept = Int32Array.from({ length: boxes.length / 4 }, (_, i) => i).filter((i) => isLarger(scaled, i));
  return { boxes: takeBoxes(scaled, kept), kept };
}

/** One detection's box. */
export const boxOf = (detections: Detections, i: number) => boxAt(detections.boxes, i);
