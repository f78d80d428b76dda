import { Rng } from "../../src/core/rng";
import { tf } from "../../src/core/tf";
import { trace } from "../../src/graph";
import { openPrograms } from "./engines";
import type { BenchOptions } from "./options";

/** Rows, inner length and columns of the product that stands for what the machine can do; as small as the model. */
export const matmulShape = ({ preset }: BenchOptions): readonly [number, number, number] =>
  preset === "toy" ? [98, 512, 512] : [788, 4096, 4096];

export const matmulFlops = (options: BenchOptions): number => {
  const [rows, inner, columns] = matmulShape(options);
  return 2 * rows * inner * columns;
};

/** A single matrix product on the engine and in the precision that is measured. */
export interface Matmul {
  /** Gives back the mean of the product. */
  run(): Promise<number>;
  dispose(): Promise<void>;
}

/** Eight-bit weights are left out of it: the measure is the precision's own rate. */
export async function openMatmul(options: BenchOptions): Promise<Matmul> {
  const [count, inner, columns] = matmulShape(options);
  const rng = new Rng(0);
  const uniform = (length: number) => Float32Array.from({ length }, () => rng.between(-1, 1));
  const graph = trace("matmul", {
    inputs: {},
    state: { rows: { shape: [count, inner] }, weight: { shape: [inner, columns] } },
    body: (_, state) => ({ mean: tf.mean(tf.matMul(state.rows, state.weight)) }),
  });
  const executor = await openPrograms({ matmul: { graph } }, { ...options, frozen: undefined });
  await executor.writeState({ rows: uniform(count * inner) });
  await executor.writeState({ weight: uniform(inner * columns) });
  return {
    run: async () => (await executor.run("matmul", {})).mean[0],
    dispose: () => executor.dispose(),
  };
}
