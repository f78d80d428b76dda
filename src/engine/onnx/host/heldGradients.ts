import { freeArrays } from "./freeArrays";

/** Gradients of one run, by name. */
export type Gradients = ReadonlyMap<string, Float32Array>;

/** Sums of gradients over the runs that hold theirs back. */
export class HeldGradients {
  private sums: Gradients | undefined;
  private finite = true;

  /** Takes one run's gradients over; `finite` says whether its results were. */
  add(gradients: Gradients, finite: boolean): void {
    this.finite &&= finite;
    if (this.sums) {
      addTo(this.sums, gradients);
      freeArrays(gradients.values());
    } else this.sums = gradients;
  }

  /** Adds what was held to the gradients of the run that ends the wait; false if a held run was not finite. */
  release(gradients: Gradients): boolean {
    if (this.sums) {
      addTo(gradients, this.sums);
      freeArrays(this.sums.values());
    }
    const { finite } = this;
    this.sums = undefined;
    this.finite = true;
    return finite;
  }
}

function addTo(sums: Gradients, more: Gradients): void {
  for (const [name, values] of more) {
    const sum = sums.get(name)!;
    for (let i = 0; i < sum.length; i++) sum[i] += values[i];
  }
}
