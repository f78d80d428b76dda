/** Something that takes its time over a known amount, for whoever shows it. */
export interface Work {
  /** What is going on, for people. */
  readonly label: string;
  /** All there is to do, what was done before among it. */
  readonly total: number;
  /** What was done before. */
  readonly kept: number;
}

/** How work of one kind is shown: not at all until the notebook layer, which is above those that work, says how. */
export class Shown<View> {
  private present: (work: Work) => View;

  constructor(unseen: View) {
    this.present = () => unseen;
  }

  by(present: (work: Work) => View): void {
    this.present = present;
  }

  begin(work: Work): View {
    return this.present(work);
  }
}
