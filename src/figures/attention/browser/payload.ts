/** What the page carries beside the numbers. */
export interface ViewerHeader {
  readonly title: string;
  readonly font: string;
  readonly models: readonly ModelHeader[];
  /** 256 RGB triples each, base64. */
  readonly colors: { readonly attention: string; readonly entropy: string };
  readonly themes: { readonly light: ThemeColors; readonly dark: ThemeColors };
}

export interface ThemeColors {
  readonly background: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly axis: string;
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
  readonly layers: readonly { readonly name: string; readonly heads: number }[];
  /** Layers the model has and the page has not. */
  readonly leftOut: readonly string[];
}

/** One layer as it stands in the page: rows of T weights, weight = level × greatest / 255. */
export interface Layer {
  readonly name: string;
  readonly heads: number;
  readonly tokens: number;
  /** [H × T × T]. */
  readonly levels: Uint8Array;
  /** [H × T]. */
  readonly greatest: Float32Array;
  /** Nats, [H × T]. */
  readonly entropy: Float32Array;
  /** [T × T]. */
  readonly rolloutLevels: Uint8Array;
  /** [T]. */
  readonly rolloutGreatest: Float32Array;
}

/** The layers of every model, cut out of the page's bytes; the writer keeps the same order. */
export function readLayers({ models }: ViewerHeader, buffer: ArrayBuffer): Layer[][] {
  let at = 0;
  const bytes = (length: number) => {
    at += length;
    return buffer.slice(at - length, at);
  };
  return models.map(({ grid, layers }) => {
    const tokens = grid.rows * grid.columns + 1;
    return layers.map(({ name, heads }) => ({
      name,
      heads,
      tokens,
      levels: new Uint8Array(bytes(heads * tokens * tokens)),
      greatest: new Float32Array(bytes(4 * heads * tokens)),
      entropy: new Float32Array(bytes(4 * heads * tokens)),
      rolloutLevels: new Uint8Array(bytes(tokens * tokens)),
      rolloutGreatest: new Float32Array(bytes(4 * tokens)),
    }));
  });
}
