/** What the page carries beside the numbers. */
export interface ViewerHeader {
  readonly title: string;
  readonly font: string;
  readonly models: readonly ModelHeader[];
  /** 256 RGB triples each, base64. */
  readonly colors: { readonly attention: string; readonly entropy: string; readonly effect: string };
  /** Names of classes that are spoken of. */
  readonly labels: readonly string[];
  /** Labels of the classes that can be chosen. */
  readonly choices: readonly number[];
  /** Ways in which the evidence for a class was found. */
  readonly methods: readonly string[];
  readonly themes: { readonly light: ThemeColors; readonly dark: ThemeColors };
  /** Who can be asked what no number of the page says. */
  readonly live?: KernelPage | undefined;
}

/** A page and the kernel that made it. */
export interface KernelPage {
  /** The kernel's name at the notebook's server. */
  readonly kernel: string;
  /** The page's name at the kernel. */
  readonly page: string;
}

export interface ThemeColors {
  readonly background: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly axis: string;
}

/** Numbers of one kind in the page. */
export interface Section {
  readonly name: string;
  readonly type: "u8" | "u16" | "f32";
  readonly length: number;
}

/** Rows and columns of patches. */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

export interface ModelHeader {
  readonly title: string;
  /** Data URL. */
  readonly image: string;
  readonly grid: Grid;
  /** Per patch 1 object, 0 background, -1 ignored. */
  readonly regions?: readonly number[];
  /** Layers of the page; `step` queries in a row and in a column stand in it as one, their mean. */
  readonly layers: readonly { readonly name: string; readonly heads: number; readonly step: number }[];
  /** All layers with attention, in the order in which they run. */
  readonly stages: readonly { readonly name: string; readonly heads: number }[];
  /** What stands behind the layers in the page's bytes, in this order. */
  readonly sections: readonly Section[];
  /** Layers the model has and the page has not. */
  readonly leftOut: readonly string[];
}

/** One layer as it stands in the page: rows of T weights, weight = level × greatest / 255. */
export interface Layer {
  readonly name: string;
  readonly heads: number;
  readonly tokens: number;
  /** Columns of patches. */
  readonly columns: number;
  /** Side of the blocks of queries whose mean is a row; 1 where every query has its own. */
  readonly step: number;
  /** R: rows of a head. */
  readonly rows: number;
  /** [H × R × T]. */
  readonly levels: Uint8Array;
  /** [H × R]. */
  readonly greatest: Float32Array;
  /** Nats, [H × T]. */
  readonly entropy: Float32Array;
  /** [R × T]. */
  readonly rolloutLevels: Uint8Array;
  /** [R]. */
  readonly rolloutGreatest: Float32Array;
}

/** The row of a head in which a query's attention stands: the class token's, then those of the blocks of patches. */
export function rowOf({ columns, step }: Pick<Layer, "columns" | "step">, query: number): number {
  if (query === 0) return 0;
  const [x, y] = [(query - 1) % columns, Math.floor((query - 1) / columns)];
  return 1 + Math.floor(y / step) * Math.ceil(columns / step) + Math.floor(x / step);
}

export function rowCount({ rows, columns }: Grid, step: number): number {
  return 1 + Math.ceil(rows / step) * Math.ceil(columns / step);
}

/** What a page carries of a model. */
export interface ModelNumbers {
  readonly layers: readonly Layer[];
  readonly numbers: ReadonlyMap<string, Uint8Array | Uint16Array | Float32Array>;
}

/** The numbers of every model, cut out of the page's bytes; the writer keeps the same order. */
export function readModels({ models }: Pick<ViewerHeader, "models">, buffer: ArrayBuffer): ModelNumbers[] {
  let at = 0;
  const bytes = (length: number) => {
    at += length;
    return buffer.slice(at - length, at);
  };
  const read = ({ type, length }: Section) => {
    if (type === "u8") return new Uint8Array(bytes(length));
    return type === "u16" ? new Uint16Array(bytes(2 * length)) : new Float32Array(bytes(4 * length));
  };
  return models.map(({ grid, layers, sections }) => {
    const tokens = grid.rows * grid.columns + 1;
    const found = layers.map(({ name, heads, step }) => {
      const rows = rowCount(grid, step);
      return {
        ...{ name, heads, tokens, columns: grid.columns, step, rows },
        levels: new Uint8Array(bytes(heads * rows * tokens)),
        greatest: new Float32Array(bytes(4 * heads * rows)),
        entropy: new Float32Array(bytes(4 * heads * tokens)),
        rolloutLevels: new Uint8Array(bytes(rows * tokens)),
        rolloutGreatest: new Float32Array(bytes(4 * rows)),
      };
    });
    return { layers: found, numbers: new Map(sections.map((one) => [one.name, read(one)])) };
  });
}
