import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import type { GraphDtype } from "../../graph/ir";
import { arrayTypes } from "../arrays";
import type { TypedArray } from "../executor";
import type { TensorflowBinding } from "./binding";
import { elementTypes, encodeSavedModel, TAG, type TfNode } from "./graphDef";

/** Something fed: the placeholder's name, and what goes there. */
export interface Feed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: GraphDtype;
  readonly array: TypedArray;
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
    const { binding } = this;
    const fed: number[] = [];
    let fetched: { id: number }[] = [];
    try {
      for (const { shape, dtype, array } of feeds) {
        const typed = arrayTypes[dtype];
        const values = array instanceof typed ? array : typed.from(array);
        fed.push(binding.createTensor(shape, elementTypes[dtype], values));
      }
      const inputs = feeds.map(({ name }) => name).join(",");
      fetched = binding.runSavedModel(this.model, fed, inputs, fetches.join(","));
      const results = fetched.map(({ id }) => binding.tensorDataSync(id));
      for (const array of [...feeds.map((feed) => feed.array), ...results]) this.moved += array.byteLength;
      return results;
    } catch (cause) {
      throw explainFailure(cause as Error);
    } finally {
      for (const id of [...fed, ...fetched.map((result) => result.id)]) binding.deleteTensor(id);
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
