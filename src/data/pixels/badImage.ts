import { LuvitError } from "../../core/errors";

/** An error about an image, without the name of its file, which whoever opened that puts in front. */
export function unreadable(reason: string): LuvitError {
  return new LuvitError("bad-image", reason);
}
