import { checkOptions, shaped } from "../core/options";
import { type LiveSuite, LiveSuiteView } from "./liveParts";
import type { LiveRun } from "./liveRun";
import { LiveRunView } from "./liveView";
import { openPlace } from "./place";
import { noteFollowed } from "./runDisplay";

/**
 * Follows a training run, or a suite of evaluations, in one display, updated in place at most five times a second: of a
 * run bar, rate, time left, loss curve, learning rate, memory and a table per epoch; of a suite a bar for each set and the
 * finished numbers beside the paper's. The last state stays, also of a run that was stopped or failed. Await `run.done`
 * for its result.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform: luvit.data.transforms.mae(64) });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const run = luvit.train.pretrain(model, images.take(32), { ...luvit.recipes.pretrainToy, epochs: 1, out: false });
 * luvit.live(run);
 * await run.done;
 */
export function live(run: LiveRun | LiveSuite): void {
  checkOptions("live", shaped("a run, from train or benchmark", "done", "state"), run);
  if ("parts" in run) followSuite(run);
  else followRun(run);
}

function followSuite(suite: LiveSuite): void {
  const view = new LiveSuiteView(suite);
  const place = openPlace(view);
  place.update();
  const off = suite.onProgress(() => {
    view.progressed();
    place.update();
  });
  const end = (error?: unknown) => {
    off();
    view.end(error);
    place.finish();
  };
  suite.done.then(() => end(), end);
}

function followRun(run: LiveRun): void {
  noteFollowed(run);
  const view = new LiveRunView(run);
  const place = openPlace(view);
  place.update();
  const off = run.onRecord((record) => {
    view.add(record);
    place.update();
  });
  const end = (state: LiveRun["state"], error?: unknown) => {
    off();
    view.end(state, error);
    place.finish();
  };
  run.done.then(
    () => end(run.state === "running" ? "done" : run.state),
    (error: unknown) => end("failed", error),
  );
}
