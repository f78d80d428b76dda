/** Something that takes its time over a known amount, for whoever shows it. */
export interface Work {
  /** What is going on, for people. */
  readonly label: string;
  /** All there is to do, what was done before among it. */
  readonly total: number;
  /** What was done before. */
  readonly kept: number;
  /** What is counted; default images. */
  readonly unit?: "images" | "bytes";
}

/** Shows one piece of work. */
export interface WorkView {
  /** Amount done since the beginning, without what was done before. */
  advance(done: number): void;
  end(state: "done" | "stopped" | "failed"): void;
}

const unseen: WorkView = { advance: () => {}, end: () => {} };
let present: (work: Work) => WorkView = () => unseen;

/** How work of the layers below the notebook layer is shown: not at all until that layer says how. */
export function showWorkWith(show: (work: Work) => WorkView): void {
  present = show;
}

/** Work begins: an evaluation, a download. */
export function beginWork(work: Work): WorkView {
  return present(work);
}
