import { showWorkWith, type Work, type WorkView } from "../core/progress";
import { type LivePlace, openPlace } from "./place";
import { ProgressBar } from "./progressBar";
import { progressHtml } from "./progressGroup";

/** Milliseconds after which something that goes on is shown. */
const patience = 1000;

/** A bar for what takes longer than a moment, where the cell, or the terminal, is. */
function showWork(work: Work): WorkView {
  const bar = new ProgressBar(work);
  let place: LivePlace | undefined;
  const open = () => {
    place = openPlace({ share: () => bar.share(), text: () => bar.text(), html: () => progressHtml([bar]) });
    place.update();
  };
  const timer = setTimeout(open, patience);
  timer.unref();
  return {
    advance(done) {
      bar.reach(work.kept + done);
      place?.update();
    },
    end(state) {
      clearTimeout(timer);
      bar.end(state);
      place?.finish();
    },
  };
}

showWorkWith(showWork);
