import type { Rng } from "../../core/rng";
import type { RgbImage } from "../pixels";
import { backgroundFamilies, backgroundNames } from "./backgrounds";
import { drawObject, rasterise, type ToyObject } from "./scene";
import { toyShapes } from "./shapes";

/** Names of hues, in degrees; between them is room, so that none is doubtful. */
export const colors = {
  red: 0,
  orange: 28,
  yellow: 54,
  green: 120,
  blue: 215,
  purple: 275,
  pink: 325,
} as const;
export type ColorName = keyof typeof colors;
export const colorNames = Object.keys(colors) as ColorName[];
/** An object's hue is so near to that of its name. */
const HUE_SPREAD = 8;

export const places = ["left", "right", "top", "bottom"] as const;
export type Place = (typeof places)[number];

/** What is so of an object. */
export interface ObjectFacts {
  readonly name: string;
  readonly color: ColorName;
  /** Where it stands, where that is plain; of images of one object. */
  readonly place: Place | null;
  /** Center, from the left and from the top, in 0 … 1. */
  readonly x: number;
  readonly y: number;
}

/** What is so of a drawing. */
export interface SceneFacts {
  /** One or two, of different names. */
  readonly objects: readonly ObjectFacts[];
  /** The family of the background. */
  readonly background: string;
}

/** Which objects of which colors are drawn. */
export type Wanted = readonly (readonly [name: string, color: ColorName])[];

/** Share of the image of one object, and of each of two. */
const alone = { right: 1, bottom: 1, area: [0.05, 0.12] } as const;
const beside = { right: 1, bottom: 1, area: [0.03, 0.06] } as const;
/** How much plainer one direction must be than the other, and how far apart two centers are. */
const PLAIN = 0.1;
const APART = 0.22;
const MOST_ATTEMPTS = 200;

/** A drawing of the wanted objects: its facts at once, its pixels when they are asked for. */
export function questionScene(
  wanted: Wanted,
  rng: Rng,
  size: number,
): { facts: SceneFacts; draw(): RgbImage } {
  const family = rng.fork("family").integer(backgroundFamilies.length);
  const objects = placed(wanted, rng.fork("objects"));
  const facts = {
    objects: objects.map(({ label, reach }, i): ObjectFacts => {
      const place = wanted.length === 1 ? placeOf(reach.x, reach.y) : null;
      return { name: toyShapes[label].name, color: wanted[i][1], place, x: reach.x, y: reach.y };
    }),
    background: backgroundNames[family],
  };
  const draw = () => {
    const background = backgroundFamilies[family](rng.fork("background"));
    return { data: rasterise(together(objects), background, size).rgb, width: size, height: size };
  };
  return { facts, draw };
}

function placed(wanted: Wanted, rng: Rng): ToyObject[] {
  let objects: ToyObject[] = [];
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const stream = rng.fork("attempt", attempt);
    objects = wanted.map(([name, color], i) => {
      const own = stream.fork("object", i);
      const hue = colors[color] + own.between(-HUE_SPREAD, HUE_SPREAD);
      const label = toyShapes.findIndex((shape) => shape.name === name);
      return drawObject(label, own, wanted.length === 1 ? alone : beside, hue);
    });
    if (isPlain(objects)) break;
  }
  return objects;
}

function isPlain(objects: readonly ToyObject[]): boolean {
  const [first, second] = objects.map(({ reach }) => reach);
  if (!second) return placeOf(first.x, first.y) !== null;
  const [dx, dy] = [Math.abs(first.x - second.x), Math.abs(first.y - second.y)];
  return Math.hypot(dx, dy) > first.radius + second.radius && dx > APART && dy > APART;
}

function placeOf(x: number, y: number): Place | null {
  const [dx, dy] = [x - 0.5, y - 0.5];
  if (Math.abs(dx) > Math.abs(dy) + PLAIN) return dx < 0 ? "left" : "right";
  if (Math.abs(dy) > Math.abs(dx) + PLAIN) return dy < 0 ? "top" : "bottom";
  return null;
}

/** Several objects that do not touch, painted as one. */
function together(objects: readonly ToyObject[]): ToyObject {
  const at = (x: number, y: number) => objects.find((object) => object.covers(x, y));
  return {
    ...objects[0],
    covers: (x, y) => at(x, y) !== undefined,
    paint: (x, y) => (at(x, y) ?? objects[0]).paint(x, y),
  };
}

/** Whether an object of that color is never trained with: one color of each shape. */
export function isHeldOut(name: string, color: ColorName): boolean {
  const label = toyShapes.findIndex((shape) => shape.name === name);
  return colorNames.indexOf(color) === (3 * label + 1) % colorNames.length;
}
