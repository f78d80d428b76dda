import type { Preprocessing } from "../core/preprocessing";
import type { LoadReport } from "../nn/loadStateDict";
import { SavableModel } from "./savable";

/** A model whose images are prepared in one way, which it is saved with. */
export abstract class PreparedModel extends SavableModel {
  /** For people: what was found in the file that it was opened from. */
  loaded?: LoadReport;

  constructor(
    /** How the images are prepared that it was trained for. */
    public preprocessing: Preprocessing,
  ) {
    super();
  }

  override toString(): string {
    return this.loaded ? `${super.toString()}, ${this.loaded}` : super.toString();
  }

  /** A copy for `describe`. */
  protected describePreprocessing() {
    const { mean, std } = this.preprocessing;
    return { ...this.preprocessing, mean: [...mean], std: [...std] };
  }
}
