import type { PixelSteps } from "../pixelSteps";
import type { FinetuneAugmentOptions, ImageTransform } from "../transforms";

/** Plain data from which another thread makes a transform of this library again. */
export type TransformRecipe =
  | { readonly kind: "maeAugment" | "asIs"; readonly size: number }
  | ({ readonly kind: "finetuneAugment"; readonly size: number } & Required<FinetuneAugmentOptions>)
  | { readonly kind: "evalTransform"; readonly size: number; readonly cropRatio: number };

/** By the object itself: a copy with another `apply` is another transform. */
const origins = new WeakMap<ImageTransform, { recipe: TransformRecipe; steps: PixelSteps }>();

/** Notes how a transform can be made again and what it does, and gives it back, from now on unchangeable. */
export function withRecipe<Transform extends ImageTransform>(
  transform: Transform,
  recipe: TransformRecipe,
  steps: PixelSteps,
): Transform {
  origins.set(transform, { recipe, steps });
  return Object.freeze(transform);
}

/** How to make a transform again; undefined for one that is not of this library. */
export function recipeOf(transform: ImageTransform): TransformRecipe | undefined {
  return origins.get(transform)?.recipe;
}

/** The steps of a transform; undefined for one that is not of this library. */
export function stepsOf(transform: ImageTransform): PixelSteps | undefined {
  return origins.get(transform)?.steps;
}
