import { LuvitError } from "../../core/errors";
import { type Boxes, clipBoxes, isFiniteBox, isLarger, joinBoxes, type Size, takeBoxes } from "./boxes";
import { type DeltaWeights, decodeBoxes, MOST_GROWTH } from "./codec";
import { bestOf, byScore, suppress } from "./suppress";

export interface ProposalSettings {
  /** Best of every level before suppression, and of all levels behind it. */
  perLevel: number;
  perImage: number;
  threshold: number;
  weights: DeltaWeights;
  /** Default log(1000 / 16). */
  mostGrowth?: number;
  /** Pixels that a box must be wider and higher than; default 0. */
  leastSize?: number;
}

/** What a region proposal network says of one image: of every anchor a logit and four deltas. */
export interface RegionOutput {
  readonly logits: Float32Array;
  readonly deltas: Float32Array;
}

export interface Proposals {
  readonly boxes: Boxes;
  /** Falling. */
  readonly logits: Float32Array;
}

/**
 * Boxes that may hold objects: the best of every level, cut to the image, without empty and doubled ones. Those that are
 * not finite are left out, or end a training.
 *
 * @throws LuvitError("non-finite") in training.
 * Reference: detectron2 modeling/proposal_generator/proposal_utils.py find_top_rpn_proposals.
 */
export function findProposals(
  { logits, deltas }: RegionOutput,
  levels: readonly Boxes[],
  image: Size,
  settings: ProposalSettings,
  training: boolean,
): Proposals {
  const { perLevel, perImage, threshold, weights, mostGrowth = MOST_GROWTH, leastSize = 0 } = settings;
  const found: Proposals[] = [];
  let start = 0;
  for (const anchors of levels) {
    const end = start + anchors.length / 4;
    const best = bestOf(logits, start, end, perLevel);
    const chosen = takeBoxes(
      anchors,
      best.map((i) => i - start),
    );
    const boxes = decodeBoxes(chosen, takeBoxes(deltas, best), weights, mostGrowth);
    const scores = Float32Array.from(best, (i) => logits[i]);
    const finite = Array.from(best.keys()).filter((i) => Number.isFinite(scores[i]) && isFiniteBox(boxes, i));
    if (training && finite.length < best.length) throw diverged(best.length - finite.length);
    clipBoxes(boxes, image);
    const order = finite.filter((i) => isLarger(boxes, i, leastSize));
    const kept = suppress(boxes, order, threshold, perImage);
    found.push({ boxes: takeBoxes(boxes, kept), logits: Float32Array.from(kept, (i) => scores[i]) });
    start = end;
  }
  const boxes = joinBoxes(...found.map((one) => one.boxes));
  const all = Float32Array.from(found.flatMap((one) => [...one.logits]));
  const order = byScore(
    all,
    all.map((_, i) => i),
  ).subarray(0, perImage);
  return { boxes: takeBoxes(boxes, order), logits: Float32Array.from(order, (i) => all[i]) };
}

function diverged(count: number): LuvitError {
  const advice = "the training has diverged; a lower rate or a longer warm-up may help";
  return new LuvitError("non-finite", `detector: ${count} proposed boxes are not finite: ${advice}`);
}
