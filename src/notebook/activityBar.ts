import { type Activity, type ActivityView, showActivitiesWith } from "../core/activities";
import { type LivePlace, openPlace } from "./place";
import { ProgressBar } from "./progressBar";
import { progressHtml } from "./progressGroup";

/** Milliseconds after which something that goes on is shown. */
const patience = 1000;

/** A bar for what takes longer than a moment, where the cell, or the terminal, is. */
function showActivity({ label, total, kept }: Activity): ActivityView {
  const bar = new ProgressBar(label, total, kept);
  let place: LivePlace | undefined;
  const open = () => {
    place = openPlace({ share: () => bar.share(), text: () => bar.text(), html: () => progressHtml([bar]) });
    place.update();
  };
  const timer = setTimeout(open, patience);
  timer.unref();
  return {
    advance(done) {
      bar.reach(kept + done);
      place?.update();
    },
    end(state) {
      clearTimeout(timer);
      bar.end(state);
      place?.finish();
    },
  };
}

showActivitiesWith(showActivity);
