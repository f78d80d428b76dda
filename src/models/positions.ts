import type { HostTensor } from "../core/hostTensor";
import type { Rng } from "../core/rng";
import { constant, normal } from "../nn/init";
import { Parameter } from "../nn/parameter";
import { type PositionResize, resizePositionTable, sinCosPositionTable } from "../nn/positionEmbedding";
import type { ViTConfig } from "./vit";

/**
 * A sin-cos (frozen, MAE pretraining) or trainable (timm) position table [1, 1+L, D]; [1, L, D] of a model without a class
 * token, `extra` 0.
 */
export function positionParameter(
  dim: number,
  patches: number,
  rng: Rng,
  kind: "sincos" | "learned",
  extra: 0 | 1 = 1,
): Parameter {
  const table = constant(() => sinCosPositionTable(dim, Math.sqrt(patches)).subarray((1 - extra) * dim));
  const parameter = new Parameter(
    [1, extra + patches, dim],
    kind === "sincos" ? table : normal(0.02),
    rng.uint32(),
  );
  parameter.trainable = kind === "learned";
  return parameter;
}

/** Adapts a position table to a model's grid, bicubic as in MAE or timm; returned unchanged when it fits already. */
export function fitPositionTable(
  table: HostTensor,
  config: ViTConfig,
  resize: PositionResize = "mae",
): HostTensor {
  const grid = config.imageSize / config.patchSize;
  const extra = config.classToken === false ? 0 : 1;
  return resizePositionTable(table, { rows: grid, columns: grid }, extra, resize);
}
