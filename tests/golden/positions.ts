import { tf } from "../../src/core/tf";
import { positionsOfGrid, resizePositionTable, sinCosPositionTable } from "../../src/nn/positionEmbedding";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { load } from "./support";

export const runPositions: CaseRunner = async (folder, { config, recommended_tolerance: tolerance }) => {
  const golden = load(folder, "tensors.safetensors");
  const checks: Check[] = [];
  const check = (name: string, actual: ArrayLike<number>, bound: number) =>
    checks.push({ name, error: maxAbsError(actual, golden.get(name)!.data), tolerance: bound });

  for (const { dim, grid, tensor } of config.sincos) {
    check(tensor, sinCosPositionTable(dim, grid), tolerance.sincos_abs);
  }
  const stored = golden.get("checkpoint_pos_embed")!;
  const table = { shape: stored.shape, data: stored.data as Float32Array };
  const dim = table.shape[2];
  const withoutClass = { shape: [1, table.shape[1] - 1, dim], data: table.data.subarray(dim) };
  const resized = (rows: number, columns: number, extra: number) =>
    resizePositionTable(extra === 1 ? table : withoutClass, { rows, columns }, extra).data;
  for (const name of ["mae_interp", "mae_interp_down"]) {
    const side = Math.sqrt(golden.get(name)!.shape[1] - 1);
    check(name, resized(side, side, 1), tolerance.interp_abs);
  }
  for (const name of ["vitdet_interp", "vitdet_interp_rect"]) {
    const [, rows, columns] = golden.get(name)!.shape;
    check(name, resized(rows, columns, 0), tolerance.interp_abs);
    const inGraph = positionsOfGrid(tf.tensor(table.data, table.shape), { rows, columns }, "mae");
    check(name, inGraph.dataSync(), tolerance.interp_abs);
  }
  return checks;
};
