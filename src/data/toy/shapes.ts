/** A foreground shape in its own coordinates: u to the right, v down, everything inside the unit circle. */
export interface ToyShape {
  /** Class name; also the folder name. */
  readonly name: string;
  /** Usual hue in degrees, saturation and lightness in 0 … 1. */
  readonly hue: number;
  readonly saturation: number;
  readonly lightness: number;
  /** Index of the usual texture in `textures`. */
  readonly texture: number;
  contains(u: number, v: number): boolean;
  /** Parts painted in the second color, e.g. the eye of the fish. */
  detail(u: number, v: number): boolean;
}

function inEllipse(u: number, v: number, cu: number, cv: number, ru: number, rv: number): boolean {
  return ((u - cu) / ru) ** 2 + ((v - cv) / rv) ** 2 < 1;
}

const fish: ToyShape = {
  name: "fish",
  hue: 22,
  saturation: 0.8,
  lightness: 0.58,
  texture: 1,
  contains(u, v) {
    const tail = u > 0.3 && u < 0.95 && Math.abs(v) < 0.1 + 0.62 * (u - 0.32) && u < 0.8 + 0.25 * Math.abs(v);
    const fin = u > -0.35 && u < 0.25 && v < 0 && v > -0.62 + 0.35 * (u + 0.35);
    return inEllipse(u, v, -0.25, 0, 0.72, 0.46) || tail || fin;
  },
  detail: (u, v) => inEllipse(u, v, -0.64, -0.1, 0.1, 0.1),
};

const flower: ToyShape = {
  name: "flower",
  hue: 315,
  saturation: 0.65,
  lightness: 0.66,
  texture: 3,
  contains: (u, v) => Math.hypot(u, v) < 0.42 + 0.56 * Math.abs(Math.cos(2.5 * Math.atan2(v, u))) ** 0.7,
  detail: (u, v) => inEllipse(u, v, 0, 0, 0.27, 0.27),
};

const heart: ToyShape = {
  name: "heart",
  hue: 355,
  saturation: 0.75,
  lightness: 0.52,
  texture: 0,
  contains(u, v) {
    const [x, y] = [1.28 * u, 0.12 - 1.22 * v];
    return (x * x + y * y - 1) ** 3 < x * x * y ** 3;
  },
  detail: (u, v) => inEllipse(u, v, -0.42, -0.42, 0.14, 0.1),
};

const moon: ToyShape = {
  name: "moon",
  hue: 52,
  saturation: 0.55,
  lightness: 0.74,
  texture: 3,
  contains: (u, v) => Math.hypot(u - 0.12, v) < 0.95 && !inEllipse(u, v, 0.55, -0.08, 0.72, 0.74),
  detail: (u, v) => inEllipse(u, v, -0.5, 0.15, 0.11, 0.11) || inEllipse(u, v, -0.2, 0.65, 0.08, 0.08),
};

const mushroom: ToyShape = {
  name: "mushroom",
  hue: 8,
  saturation: 0.6,
  lightness: 0.46,
  texture: 2,
  contains(u, v) {
    const cap = v < 0.12 && inEllipse(u, v, 0, 0.12, 0.95, 0.95);
    return cap || mushroomStem(u, v);
  },
  detail: mushroomStem,
};

function mushroomStem(u: number, v: number): boolean {
  return v >= 0.12 && v < 0.88 && Math.abs(u) < 0.24 + 0.12 * v;
}

const star: ToyShape = {
  name: "star",
  hue: 44,
  saturation: 0.85,
  lightness: 0.56,
  texture: 0,
  contains(u, v) {
    const sector = (2 * Math.PI) / 5;
    const angle = Math.atan2(u, -v);
    const offset = Math.abs(angle - sector * Math.round(angle / sector));
    const [inner, half] = [0.46, sector / 2];
    const edge = (inner * Math.sin(half)) / (inner * Math.sin(half - offset) + Math.sin(offset));
    return Math.hypot(u, v) < 0.98 * edge;
  },
  detail: () => false,
};

/** The foreground classes in label order, which is the order of their names. */
export const toyShapes: readonly ToyShape[] = [fish, flower, heart, moon, mushroom, star];

/** Inner textures: brightness factor at a point of the shape. */
export const textures: readonly ((u: number, v: number) => number)[] = [
  (u, v) => 1 - 0.14 * (u + v),
  (u) => (Math.sin(9 * u) > 0.35 ? 0.74 : 1.02),
  (u, v) => (Math.hypot(((u + 4.1) % 0.5) - 0.25, ((v + 4.1) % 0.5) - 0.25) < 0.12 ? 1.45 : 0.98),
  (u, v) => 1.08 - 0.32 * Math.hypot(u, v),
];
