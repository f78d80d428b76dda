import { Shown, type Work } from "./shown";

/** Something that takes its time over a known number of pictures. */
export type Activity = Work;

/** Shows one activity. */
export interface ActivityView {
  /** Pictures done since the beginning. */
  advance(done: number): void;
  end(state: "done" | "stopped" | "failed"): void;
}

const activities = new Shown<ActivityView>({ advance: () => {}, end: () => {} });

/** Lets the notebook layer show activities of the layers below it. */
export function showActivitiesWith(show: (activity: Activity) => ActivityView): void {
  activities.by(show);
}

export function beginActivity(activity: Activity): ActivityView {
  return activities.begin(activity);
}
