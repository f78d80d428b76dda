import { Rng } from "../../core/rng";
import type { RgbImage } from "../pixels";
import { drawScene, type Scene } from "./crowdedScene";

/** Scenes to draw, and what their classes are called. */
interface ScenePlan {
  readonly seed: number;
  readonly size: number;
  readonly classes: readonly string[];
  readonly part: "train" | "val";
  readonly count: number;
}

/** Ids have gaps, as COCO's do. */
const categoryId = (label: number) => 3 * label + 2;

/** The images of a part in COCO's layout, and the file with their objects; none without images. */
export function cocoFiles(plan: ScenePlan): { path: string; draw(): RgbImage | string }[] {
  if (plan.count === 0) return [];
  const numbers = Array.from({ length: plan.count }, (_, i) => i);
  const images = numbers.map((i) => ({
    path: `coco/${plan.part}/${fileName(i)}`,
    draw: () => {
      const { rgb, width, height } = sceneAt(plan, i);
      return { data: rgb, width, height };
    },
  }));
  const draw = () =>
    annotationsOf(
      plan,
      numbers.map((i) => sceneAt(plan, i, false)),
    );
  return [...images, { path: `coco/annotations/instances_${plan.part}.json`, draw }];
}

const sceneAt = ({ seed, size, part }: ScenePlan, index: number, painted = true) =>
  drawScene(size, new Rng(seed).fork("scene", part, index), painted);

const fileName = (index: number) => `${String(index + 1).padStart(6, "0")}.jpg`;

/** A line per image, class and object. */
function annotationsOf({ classes, part }: ScenePlan, scenes: readonly Scene[]): string {
  const images = scenes.map(({ width, height }, i) => ({ id: i + 1, file_name: fileName(i), width, height }));
  const categories = classes.map((name, label) => ({ id: categoryId(label), name, supercategory: "shape" }));
  const annotations = scenes
    .flatMap(({ objects }, i) => objects.map((object) => ({ object, image: i + 1 })))
    .map(({ object: { label, polygons, area, box }, image }, i) => ({
      id: i + 1,
      image_id: image,
      category_id: categoryId(label),
      iscrowd: 0,
      bbox: box,
      area,
      segmentation: polygons,
    }));
  const lists = { images, categories, annotations };
  const text = Object.entries(lists).map(
    ([name, entries]) => `"${name}": [\n${entries.map((entry) => JSON.stringify(entry)).join(",\n")}\n]`,
  );
  return `{"info": {"description": "toy scenes, ${part}"},\n${text.join(",\n")}}\n`;
}
