import type { DetectionScores } from "../../src/analysis/detection/scores";
import { areaRanges, iouThresholds } from "../../src/train/detection/match";

/** The accumulated arrays as pycocotools lays them out: [threshold, recall, class, area, most results]. */
export function arraysOf({
  curves,
  classes,
  maxDetections,
}: DetectionScores): Record<"precision" | "recall" | "scores", number[]> {
  const arrays = { precision: [] as number[], recall: [] as number[], scores: [] as number[] };
  const areas = Object.keys(areaRanges).keys();
  const cells = [...areas].flatMap((area) => [...maxDetections.keys()].map((most) => [area, most] as const));
  for (const threshold of iouThresholds.keys()) {
    for (const label of classes.keys())
      for (const [area, most] of cells)
        arrays.recall.push(curves[label][threshold][area][most]?.recall ?? -1);
    for (let point = 0; point <= 100; point++) {
      for (const label of classes.keys()) {
        for (const [area, most] of cells) {
          const curve = curves[label][threshold][area][most];
          arrays.precision.push(curve?.precision[point] ?? -1);
          arrays.scores.push(curve?.scores[point] ?? -1);
        }
      }
    }
  }
  return arrays;
}
