import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import type { TypedArray } from "../executor";
import type { TensorflowBinding } from "./binding";
import { crossingOf, type Feed } from "./feeds";
import { encodeSavedModel, TAG, type TfNode } from "./graphDef";

/** Results of a run; on a processor they are the variables' own memory where variables were fetched. */
export class Fetched {
  constructor(
    private readonly binding: TensorflowBinding,
    private readonly ids: readonly number[],
    private readonly onMoved: (bytes: number) => void,
  ) {}

  /** A copy of one result. */
  at(index: number): TypedArray {
    const copy = this.binding.tensorDataSync(this.ids[index]);
    this.onMoved(copy.byteLength);
    return copy;
  }

  letGo(): void {
    for (const id of this.ids) this.binding.deleteTensor(id);
  }
}

/** A graph that TensorFlow has loaded, with its variables. */
export class TfSession {
  private readonly model: number;
  /** Bytes that were fed and fetched so far. */
  moved = 0;

  /** @throws LuvitError("engine") when TensorFlow does not accept the graph. */
  constructor(
    private readonly binding: TensorflowBinding,
    nodes: readonly TfNode[],
  ) {
    const folder = mkdtempSync(join(tmpdir(), "luvit-tensorflow-"));
    try {
      writeFileSync(join(folder, "saved_model.pb"), encodeSavedModel(nodes));
      this.model = binding.loadSavedModel(folder, TAG);
    } catch (cause) {
      const message = `tensorflow did not accept the graph: ${(cause as Error).message}`;
      throw new LuvitError("engine", message, { cause });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** One run; gives back what was fetched, in order. Names must differ. */
  run(feeds: readonly Feed[], fetches: readonly string[]): TypedArray[] {
    const fetched = this.fetch(feeds, fetches);
    try {
      return fetches.map((_, i) => fetched.at(i));
    } finally {
      fetched.letGo();
    }
  }

  /** The same, with what was fetched still on TensorFlow's side. */
  fetch(feeds: readonly Feed[], fetches: readonly string[]): Fetched {
    const { binding } = this;
    const fed: number[] = [];
    try {
      for (const feed of feeds) {
        const { dtype, values, shape = feed.shape } = crossingOf(feed);
        this.moved += values.byteLength;
        fed.push(binding.createTensor(shape, dtype, values));
      }
      const inputs = feeds.map(({ place }) => place.name).join(",");
      const results = binding.runSavedModel(this.model, fed, inputs, fetches.join(","));
      return new Fetched(
        binding,
        results.map(({ id }) => id),
        (bytes) => {
          this.moved += bytes;
        },
      );
    } catch (cause) {
      throw explainFailure(cause as Error);
    } finally {
      for (const id of fed) binding.deleteTensor(id);
    }
  }

  dispose(): void {
    this.binding.deleteSavedModel(this.model);
  }
}

function explainFailure(cause: Error): LuvitError {
  const outOfMemory = /OOM|out of memory|ResourceExhausted|failed to allocate/i.test(cause.message);
  const advice = outOfMemory ? "; there is not enough memory for it: take a smaller batch" : "";
  return new LuvitError("engine", `tensorflow could not run the graph: ${cause.message}${advice}`, { cause });
}
