import { test } from "node:test";
import { errorsByKind } from "../../../../src/analysis/detection";
import { panelParts } from "../../../../src/figures/detections/panel";
import { shapesOf } from "../../../../src/figures/detections/shapes";
import { simplified } from "../../../../src/figures/detections/simplify";
import { Calls } from "../../../support/calls";
import { annotations, result } from "../../analysis/detection/support";

test("outlines, shapes and panels of detections are approved", async () => {
  const calls = new Calls();
  const round = Array.from({ length: 24 }, (_, i) => [
    Math.round(50 + 40 * Math.cos(i / 3.8)),
    Math.round(50 + 20 * Math.sin(i / 3.8)),
  ]).flat();
  for (const tolerance of [0, 0.8, 3, 100]) {
    await calls.of(simplified, round, tolerance);
    await calls.of(simplified, [0, 0, 10, 0, 10, 1, 10, 10, 5, 10.5, 0, 10], tolerance);
  }
  await calls.of(simplified, [3, 4], 1);
  await calls.of(simplified, [3, 4, 5, 6], 1);
  const truth = annotations(
    [
      { box: [10, 10, 40, 40] },
      { box: [100, 10, 30, 30], label: 1 },
      { box: [150, 150, 40, 30] },
      { box: [20, 100, 60, 60], label: 1, crowd: true },
      { box: [5, 5, 12, 8], image: 2 },
    ],
    2,
  );
  const found = [
    result([12, 10, 40, 40], 0.94),
    result([11, 11, 40, 40], 0.6),
    result([100, 10, 30, 30], 0.9, 0),
    result([112, 18, 30, 30], 0.85, 1),
    result([120, 30, 30, 30], 0.5, 0),
    result([30, 110, 30, 30], 0.7, 1),
    result([60, 170, 20, 20], 0.4),
    result([5, 5, 12, 8], 0.8, 0, 2),
  ];
  for (const kind of ["bbox", "segm"] as const) {
    const errors = await errorsByKind(truth, found, { kind });
    for (const image of [1, 2]) {
      const shapes = shapesOf(image, truth, errors, kind);
      for (const shape of shapes) calls.note(`${kind} of image ${image}`, shape);
      const seen = new Set<string>();
      const first = (one: string) => seen.size < seen.add(one).size;
      const panel = { width: 200, height: 160, source: "data:,", shapes, filled: kind === "segm" };
      const parts = panelParts(panel, image - 1, first);
      for (const [name, part] of Object.entries(parts)) calls.note(`  ${name}`, part);
    }
  }
  const many = Array.from({ length: 15 }, (_, i) => ({
    kind: (["right", "missed", "crowd"] as const)[i % 3],
    lines: [[i, i, i + 30.06, i, i + 30, i + 30]],
    box: [i * 12 - 5, i - 3, i === 4 ? 20 : 30, i === 5 ? 16 : 30] as const,
    tag: `t${i}`,
    words: "",
  }));
  const panel = { width: 200, height: 160, source: "data:,", shapes: many as never, filled: false };
  calls.note("tags of many", panelParts(panel, 4, () => false).tags);
  calls.note(
    "nothing found",
    panelParts({ ...panel, shapes: [] }, 0, () => true),
  );
  calls.approve("figures/detections/shapes");
});
