import { basename, dirname } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { CountingSource } from "../bytes";
import { openWeightPart, type WeightPart, type WeightPartOptions } from "./part";
import type { CheckpointPlace } from "./place";

/** The files of a checkpoint, opened when first needed. */
export class OpenParts {
  private readonly parts = new Map<string, WeightPart>();
  private readonly counters: CountingSource[] = [];

  constructor(
    readonly place: CheckpointPlace,
    private readonly options: WeightPartOptions,
  ) {}

  get source(): string {
    return this.place.source;
  }

  /** Paths of the files opened so far. */
  get paths(): string[] {
    return [...this.parts.keys()];
  }

  get bytesRead(): number {
    return this.counters.reduce((sum, counter) => sum + counter.bytesRead, 0);
  }

  async open(path: string): Promise<WeightPart> {
    const known = this.parts.get(path);
    if (known) return known;
    const counter = new CountingSource(await this.place.open(path));
    try {
      const part = await openWeightPart(counter, this.options);
      this.counters.push(counter);
      this.parts.set(path, part);
      return part;
    } catch (error) {
      await counter.close();
      throw error;
    }
  }

  /** @throws LuvitError("missing-file") listing all that are not there; `purposeOf` says what a file would be good for. */
  async requireFiles(paths: Iterable<string>, purposeOf: (path: string) => string): Promise<void> {
    const missing: string[] = [];
    for (const path of paths) {
      if (this.parts.has(path) || (await this.place.exists(path))) continue;
      missing.push(`${basename(path)}, ${purposeOf(path)}`);
    }
    if (missing.length === 0) return;
    const text = `${this.source}: shards are missing in ${dirname(this.source)}\n${listOffenders(missing)}`;
    throw new LuvitError("missing-file", text);
  }

  async close(): Promise<void> {
    for (const part of this.parts.values()) await part.close();
    this.parts.clear();
  }
}
