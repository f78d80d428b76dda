/** Something that takes its time over a known number of pictures, for whoever shows it. */
export interface Activity {
  /** What is going on, for people. */
  readonly label: string;
  /** Pictures in all, those that were done before among them. */
  readonly total: number;
  /** Pictures that were done before. */
  readonly kept: number;
}

/** Shows one activity. */
export interface ActivityView {
  /** Pictures done since the beginning. */
  advance(done: number): void;
  end(state: "done" | "stopped" | "failed"): void;
}

type Presenter = (activity: Activity) => ActivityView;

const unseen: ActivityView = { advance: () => {}, end: () => {} };
let presenter: Presenter = () => unseen;

/** Lets the notebook layer show activities of the layers below it. */
export function showActivitiesWith(show: Presenter): void {
  presenter = show;
}

export function beginActivity(activity: Activity): ActivityView {
  return presenter(activity);
}
