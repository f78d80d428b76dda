import { LuvitError, listOffenders } from "../core/errors";
import { formatShape } from "../core/hostTensor";
import { entry, flag, list, nearest, number, optionsOf, text } from "../core/options";
import type { Tensor } from "../core/tf";
import { trace } from "../graph";
import type { InputSpec } from "../graph/trace";
import type { Context } from "../nn/context";
import { type FeatureLossOptions, featureLossOptions } from "../nn/distillation";
import { parameterShapes, withTracedParameters } from "../nn/modelState";
import type { Module } from "../nn/module";

/** Tokens of a student that are to become like those of a teacher. */
export interface FeatureMatch extends Omit<FeatureLossOptions, "eps"> {
  /** Layer of the teacher: "fusion.mapper2", "blocks.11", "pooled". */
  teacher: string;
  /** Layer of the student. */
  student: string;
  /** Default 1. */
  weight?: number;
  /** Whether a trained linear map, thrown away in the end, stands behind the student's layer; default where widths differ. */
  map?: boolean;
}

export const lossWeight = number(0, 1e6);

const { loss, normalize, beta } = featureLossOptions.optional;

export const featureMatch = optionsOf<FeatureMatch>(
  {
    teacher: entry(text, "layer of the teacher", "fusion.mapper2"),
    student: entry(text, "layer of the student", "blocks.11"),
  },
  {
    loss,
    normalize,
    beta,
    weight: entry(lossWeight, "of its loss", 1),
    map: entry(flag, "a trained linear map behind the student's layer; default where widths differ", false),
  },
);

export const featureMatches = entry(list(featureMatch), "layers that are to become alike", [
  { teacher: "fusion.mapper2", student: "blocks.11", loss: "cosine", weight: 1 },
]);

/** A match with its place in the list, and the widths that a map goes between. */
export interface SettledMatch {
  readonly index: number;
  readonly teacher: string;
  readonly student: string;
  readonly weight: number;
  /** The teacher's numbers of one image, [T, D] or [D]. */
  readonly shape: readonly number[];
  readonly distance: FeatureLossOptions;
  /** Absent where the student's tokens are compared as they are. */
  readonly map?: { readonly from: number; readonly to: number };
}

/** One forward pass of a model, for shapes of what it is given. */
export interface Asked {
  readonly model: Module;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  forward(inputs: Readonly<Record<string, Tensor>>, context: Context): Tensor;
}

/** A context that keeps the layers it passes, under their names. */
export function keepingLayers(layers: Map<string, Tensor>, context: Context = {}): Context {
  return { ...context, tap: (name, value) => void layers.set(layerName(name), value) };
}

/** "blocks.3.out" is what people call blocks.3. */
const layerName = (tap: string) => tap.replace(/\.out$/, "");

/** Shapes of a model's layers, tokens [B, T, D] and vectors [B, D], by name; nothing is computed. */
function layersOf({ model, inputs, forward }: Asked): Map<string, readonly number[]> {
  const layers = new Map<string, Tensor>();
  const shapes = new Map<string, readonly number[]>();
  trace("layers", {
    inputs,
    state: parameterShapes(model),
    body: (fed, state) => {
      const end = withTracedParameters(model, state, () => forward(fed, keepingLayers(layers)));
      for (const [name, { shape }] of layers) if (shape.length < 4) shapes.set(name, shape);
      return { end };
    },
  });
  return shapes;
}

/**
 * Settles which layers are compared, and which of them need a map; those of weight 0 are left out.
 *
 * @throws LuvitError("bad-argument") naming every layer that is not there, with those that are, and all pairs that do
 * not fit each other.
 */
export function settleMatches(
  where: string,
  matches: readonly FeatureMatch[],
  teacher: Asked,
  student: Asked,
): SettledMatch[] {
  if (matches.length === 0) return [];
  const has = { teacher: layersOf(teacher), student: layersOf(student) };
  const sides = ["teacher", "student"] as const;
  const missing = matches.flatMap((match, k) =>
    sides.filter((side) => !has[side].has(match[side])).map((side) => ({ side, k, name: match[side] })),
  );
  if (missing.length > 0) {
    const lines = missing.map(({ side, k, name }) => {
      const meant = nearest(name, [...has[side].keys()]);
      return `features[${k}].${side}: no layer ${name}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
    });
    const known = [...new Set(missing.map(({ side }) => side))].map(
      (side) => `The ${side} has ${[...has[side].keys()].join(", ")}.`,
    );
    throw new LuvitError("bad-argument", [`${where}:`, listOffenders(lines), ...known].join("\n"));
  }
  const problems: string[] = [];
  const settled = matches.flatMap((match, index): SettledMatch[] => {
    const [wanted, given] = sides.map((side) => has[side].get(match[side])!);
    const [to, from] = [wanted.at(-1)!, given.at(-1)!];
    const alike = wanted.slice(0, -1).join() === given.slice(0, -1).join();
    if (!alike) {
      const shapes = `${match.teacher} is ${formatShape(wanted)}, ${match.student} ${formatShape(given)}`;
      problems.push(`features[${index}]: ${shapes} of one image; as many tokens are needed`);
    }
    if (from !== to && match.map === false) {
      problems.push(`features[${index}]: map is false, but widths are ${to} and ${from}`);
    }
    const { teacher, student, weight = 1, map = from !== to, ...distance } = match;
    if (weight === 0) return [];
    return [
      {
        index,
        teacher,
        student,
        weight,
        shape: wanted.slice(1),
        distance,
        ...(map && { map: { from, to } }),
      },
    ];
  });
  if (problems.length === 0) return settled;
  throw new LuvitError("bad-argument", `${where}:\n${listOffenders(problems)}`);
}
