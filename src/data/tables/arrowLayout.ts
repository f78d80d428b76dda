import { LuvitError } from "../../core/errors";
import { type ArrowField, isView } from "./arrowFields";
import type { BatchPlace } from "./arrowMessages";

/** Where the buffers of one column begin in a record batch's list, and what they are. */
export interface ColumnPlace {
  readonly field: ArrowField;
  /** Position of its first buffer: the bits that say which rows are there. */
  readonly buffer: number;
  readonly node: number;
  /** Data buffers of views, which each batch has as many of as it needs. */
  readonly dataBuffers: number;
}

/** Where the values of a column's dictionary lie in its batches. */
export function valuesOf(field: ArrowField, place: Pick<BatchPlace, "dataBuffers">): ColumnPlace {
  return {
    field: { ...field, dictionary: undefined },
    buffer: 0,
    node: 0,
    dataBuffers: place.dataBuffers[0] ?? 0,
  };
}

/** Places of the columns of a batch, and of the fields of struct columns as "column.field". */
export class ArrowLayout {
  private readonly places = new Map<string, ColumnPlace>();
  private readonly lost = new Map<string, string>();

  /** `dataBuffers` of each column of views, in depth-first order. */
  constructor(
    private readonly path: string,
    private readonly fields: readonly ArrowField[],
    dataBuffers: readonly number[],
  ) {
    let [buffer, node, views] = [0, 0, 0];
    let unknown: string | undefined;
    const visit = (field: ArrowField, name: string): void => {
      if (field.buffers === undefined) unknown ??= `${name}, whose type (${field.type}) is not known`;
      if (unknown) this.lost.set(name, unknown);
      const data = isView(field) ? (dataBuffers[views++] ?? 0) : 0;
      if (!unknown) this.places.set(name, { field, buffer, node, dataBuffers: data });
      node++;
      buffer += (field.buffers ?? 0) + data;
      if (field.dictionary) return; // whose fields, if any, lie with its values
      for (const child of field.children) visit(child, `${name}.${child.name}`);
    };
    for (const field of fields) visit(field, field.name);
  }

  find(name: string): ColumnPlace | undefined {
    return this.places.get(name);
  }

  /**
   * Where a column lies.
   *
   * @throws LuvitError("bad-dataset") where there is none, LuvitError("bad-file") where its place is not known.
   */
  place(name: string): ColumnPlace {
    const place = this.places.get(name);
    if (place) return place;
    const reason = this.lost.get(name);
    if (reason) {
      throw new LuvitError(
        "bad-file",
        `${this.path}: column ${name} cannot be found behind column ${reason}`,
      );
    }
    const columns = this.fields.map((field) => field.name).join(", ") || "none";
    throw new LuvitError("bad-dataset", `${this.path}: no column ${name}; its columns are ${columns}`);
  }
}
