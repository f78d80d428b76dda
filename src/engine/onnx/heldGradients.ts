import type { OnnxTensor } from "./runtime";

/** Sums of gradients over the runs that hold theirs back. */
export class HeldGradients {
  private readonly sums = new Map<string, Float32Array>();
  private finite = true;

  /** Adds one run's gradients; `finite` says whether its results were. */
  add(gradients: ReadonlyMap<string, OnnxTensor>, finite: boolean): void {
    this.finite &&= finite;
    for (const [name, { data }] of gradients) {
      const values = data as Float32Array;
      const sum = this.sums.get(name);
      if (!sum) this.sums.set(name, values.slice());
      else for (let i = 0; i < sum.length; i++) sum[i] += values[i];
    }
  }

  /** Adds what was held to the gradients of the run that ends the wait; false if a held run was not finite. */
  release(gradients: ReadonlyMap<string, OnnxTensor>): boolean {
    for (const [name, sum] of this.sums) {
      const values = gradients.get(name)!.data as Float32Array;
      for (let i = 0; i < sum.length; i++) values[i] += sum[i];
    }
    const { finite } = this;
    this.sums.clear();
    this.finite = true;
    return finite;
  }
}
