import { checkOptions, object, pair, such } from "../../core/options";
import type { Rng } from "../../core/rng";
import { BuiltInTransform } from "../imageTransform";
import { sizeArgument } from "../options";
import { drawJitter, fitGeometry, type Geometry, jitterGeometry, type Size } from "./geometry";
import { squareSteps } from "./steps";

/** A transform that can say where it puts what is in an image. */
export class SquareTransform extends BuiltInTransform {
  /** Where the parts of an image of this size go, for a stream that nothing was drawn from yet. */
  geometry(from: Size, rng: Rng): Geometry {
    const { spec } = this;
    if (spec.kind === "jitter") return jitterGeometry(from, spec.size, drawJitter(rng, spec.scale));
    return fitGeometry(from, spec.size);
  }

  /** The same, which refuses images of another size. */
  expecting(size: Size): SquareTransform {
    const { spec } = this;
    if (spec.kind === "jitter") return jitter(spec.size, spec.scale, size);
    return fit(spec.size, size);
  }
}

const scaleOptions = object(
  {},
  {
    scale: pair(
      such<number>("a number above 0, at most 10", (value) => Number(value) > 0 && Number(value) <= 10),
    ),
  },
  ({ scale }) => (scale && scale[0] > scale[1] ? [["scale", "the lower number first"]] : []),
);

/**
 * Detection's training: mirrored half of the time, made 0.1 to 2 times as large as it takes to fill a square of `size`
 * pixels (bilinear), cut to that square, normalized, padded right and below with 0. Every draw comes from the image's own
 * stream.
 *
 * Reference: detectron2 projects/ViTDet/configs/common/coco_loader_lsj.py.
 */
export function largeScaleJitter(
  size = 1024,
  options: { scale?: readonly [number, number] } = {},
): SquareTransform {
  checkOptions("transforms.largeScaleJitter", sizeArgument, { size });
  checkOptions("transforms.largeScaleJitter", scaleOptions, options);
  return jitter(size, options.scale ?? [0.1, 2]);
}

function jitter(size: number, scale: readonly [number, number], expected?: Size): SquareTransform {
  const steps = squareSteps(
    size,
    (from, rng) => jitterGeometry(from, size, drawJitter(rng, scale)),
    expected,
  );
  return frozen(new SquareTransform({ kind: "jitter", size, scale, expected }, steps));
}

/**
 * Detection's evaluation: the longer side becomes `size` (bilinear), normalized, padded right and below with 0.
 *
 * Reference: detectron2 configs/common/data/coco.py with a shortest edge and a greatest size of 1024.
 */
export function fitSquare(size = 1024): SquareTransform {
  checkOptions("transforms.fitSquare", sizeArgument, { size });
  return fit(size);
}

function fit(size: number, expected?: Size): SquareTransform {
  const steps = squareSteps(size, (from) => fitGeometry(from, size), expected);
  return frozen(new SquareTransform({ kind: "fit", size, expected }, steps));
}

/** Makes such a transform again. */
export function rebuildSquare(
  spec: Extract<BuiltInTransform["spec"], { kind: "jitter" | "fit" }>,
): SquareTransform {
  return spec.kind === "fit" ? fit(spec.size, spec.expected) : jitter(spec.size, spec.scale, spec.expected);
}

function frozen(transform: SquareTransform): SquareTransform {
  Object.freeze(transform);
  return transform;
}
