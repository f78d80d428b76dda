import type { Rng } from "../../core/rng";
import { backgroundFamilies } from "./backgrounds";
import { outlines, simplified, twiceArea } from "./outline";
import type { Paint } from "./paint";
import { drawObject, type ToyObject } from "./scene";
import { toyShapes } from "./shapes";

/** An object of a scene as far as it is seen, in pixels. */
export interface SceneObject {
  readonly label: number;
  /** Parts x1, y1, x2, y2, …; hidden objects have several. */
  readonly polygons: readonly (readonly number[])[];
  readonly area: number;
  /** Left, top, width, height. */
  readonly box: readonly [number, number, number, number];
}

/** An image of one to five objects, some of them in front of others. */
export interface Scene {
  readonly width: number;
  readonly height: number;
  /** RGB bytes [H, W, 3]. */
  readonly rgb: Uint8Array;
  readonly objects: readonly SceneObject[];
}

/** Points per pixel along each axis. */
const GRID = 4;
/** Of an outline, in pixels. */
const TOLERANCE = 0.2;
const MOST_OBJECTS = 5;
/** Share of an object that has to be seen, and pixels of its smallest part. */
const LEAST_SEEN = 0.5;
const LEAST_PART = 6;
/** Longer side to shorter side: upright, lying, square. */
const shapes = [
  [0.75, 1],
  [1, 0.75],
  [1, 1],
] as const;

/** Draws a scene whose longer side has `size` pixels; `painted` false leaves `rgb` black. */
export function drawScene(size: number, rng: Rng, painted = true): Scene {
  const [right, bottom] = shapes[rng.integer(shapes.length)];
  const [width, height] = [Math.round(size * right), Math.round(size * bottom)];
  const count = 1 + rng.integer(MOST_OBJECTS);
  const background = backgroundFamilies[rng.integer(backgroundFamilies.length)](rng.fork("background"));
  let front = new Layers(GRID * width, GRID * height, GRID * size);
  for (let attempt = 0; front.objects.length < count && attempt < 40; attempt++) {
    const stream = rng.fork("object", attempt);
    const object = drawObject(stream.integer(toyShapes.length), stream, { right, bottom, area: [0.02, 0.2] });
    const next = front.with(object);
    if (next.areSeen()) front = next;
  }
  const rgb = painted ? front.painted(width, height, background) : new Uint8Array(3 * width * height);
  const objects = front.objects.map(({ label }, i) => ({ label, ...outlined(front.parts(i)) }));
  return { width, height, rgb, objects };
}

/** Which object is seen at every point of a grid, later objects in front of earlier ones. */
class Layers {
  readonly objects: readonly ToyObject[];
  /** Points that each object covers, seen or not. */
  private readonly covered: readonly number[];
  private readonly owners: Int8Array;

  constructor(
    private readonly columns: number,
    private readonly rows: number,
    private readonly scale: number,
    layers: { objects: readonly ToyObject[]; covered: readonly number[]; owners: Int8Array } = {
      objects: [],
      covered: [],
      owners: new Int8Array(columns * rows).fill(-1),
    },
  ) {
    this.objects = layers.objects;
    this.covered = layers.covered;
    this.owners = layers.owners;
  }

  /** The same with an object in front of all. */
  with(object: ToyObject): Layers {
    const owners = this.owners.slice();
    const { left, top, right, bottom } = this.reachOf(object);
    let covered = 0;
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        if (!object.covers((column + 0.5) / this.scale, (row + 0.5) / this.scale)) continue;
        owners[row * this.columns + column] = this.objects.length;
        covered++;
      }
    }
    const layers = { objects: [...this.objects, object], covered: [...this.covered, covered], owners };
    return new Layers(this.columns, this.rows, this.scale, layers);
  }

  /** Enough of every object is seen, in parts that are large enough and have no holes. */
  areSeen(): boolean {
    const seen = this.objects.map(() => 0);
    for (const owner of this.owners) if (owner >= 0) seen[owner]++;
    if (seen.some((points, i) => points < LEAST_SEEN * this.covered[i])) return false;
    const least = 2 * LEAST_PART * GRID ** 2;
    return this.objects.every((_, i) => this.parts(i).every((part) => twiceArea(part) >= least));
  }

  /** Outlines of what is seen of an object, in points. */
  parts(number: number): number[][] {
    const { left, top, right, bottom } = this.reachOf(this.objects[number]);
    const isOwn = (x: number, y: number) => this.owners[(y + top) * this.columns + x + left] === number;
    return outlines(right - left, bottom - top, isOwn).map((part) =>
      part.map((value, i) => value + (i % 2 === 0 ? left : top)),
    );
  }

  /** RGB bytes [H, W, 3], the mean of all points of a pixel. */
  painted(width: number, height: number, background: Paint): Uint8Array {
    const sums = new Float64Array(3 * width * height);
    this.owners.forEach((owner, i) => {
      const [column, row] = [i % this.columns, Math.floor(i / this.columns)];
      const paint = owner < 0 ? background : this.objects[owner].paint;
      const color = paint((column + 0.5) / this.scale, (row + 0.5) / this.scale);
      const at = 3 * (Math.floor(row / GRID) * width + Math.floor(column / GRID));
      for (let c = 0; c < 3; c++) sums[at + c] += Math.min(255, Math.max(0, color[c]));
    });
    return Uint8Array.from(sums, (sum) => Math.round(sum / GRID ** 2));
  }

  private reachOf({ reach: { x, y, radius } }: ToyObject) {
    const low = (center: number) => Math.max(0, Math.floor((center - radius) * this.scale));
    const high = (center: number, most: number) => Math.min(most, Math.ceil((center + radius) * this.scale));
    return { left: low(x), top: low(y), right: high(x, this.columns), bottom: high(y, this.rows) };
  }
}

function outlined(parts: readonly number[][]): Omit<SceneObject, "label"> {
  const polygons = parts.map((part) => simplified(part, TOLERANCE * GRID).map((value) => value / GRID));
  const values = (axis: number) => polygons.flatMap((part) => part.filter((_, i) => i % 2 === axis));
  const [xs, ys] = [values(0), values(1)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const box = [left, top, Math.max(...xs) - left, Math.max(...ys) - top] as const;
  return { polygons, area: polygons.reduce((sum, part) => sum + twiceArea(part) / 2, 0), box };
}
