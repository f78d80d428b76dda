import { parentPort, workerData } from "node:worker_threads";
import { LuvitError } from "../../core/errors";
import { decodeImage } from "../reading";
import { type CorruptionPlan, corruptFile, type ImageToCorrupt } from "./corruptFile";
import { OwnFolders } from "./outputs";

/* A thread that corrupts one image after another for the one that started it. */

const { plan, frost } = workerData as { plan: CorruptionPlan; frost: readonly string[] };
const photographs = Promise.all(frost.map((path) => decodeImage(path)));

const folders = new OwnFolders(plan.target);

parentPort!.on("message", (image: ImageToCorrupt) => {
  photographs
    .then((images) => corruptFile(plan, image, images, folders))
    .then(
      (done) => parentPort!.postMessage(done),
      (error) => {
        const code = error instanceof LuvitError ? error.code : "bad-dataset";
        parentPort!.postMessage({ code, message: (error as Error).message });
      },
    );
});
