import { pathToFileURL } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { unpackHadoopLz4, unpackLz4Block } from "./lz4Frame";

/** A column of a row group as hyparquet describes it. */
export interface ColumnMetaData {
  readonly path_in_schema: readonly string[];
  readonly data_page_offset: bigint;
  readonly dictionary_page_offset?: bigint;
  readonly total_compressed_size: bigint;
}

/** What the footer of a file says. */
export interface FileMetaData {
  readonly schema: readonly {
    readonly name: string;
    readonly logical_type?: { readonly type: string };
    readonly converted_type?: string;
  }[];
  readonly row_groups: readonly {
    readonly num_rows: bigint;
    readonly columns: readonly { readonly meta_data?: ColumnMetaData }[];
  }[];
  readonly key_value_metadata?: readonly { readonly key: string; readonly value?: string }[];
}

/** Unpacks pages of a compression to a known length. */
type Compressors = Record<string, ((input: Uint8Array, length: number) => Uint8Array) | undefined>;

/** What is used of hyparquet. */
interface Hyparquet {
  parquetMetadata(footer: Uint8Array, options: { geoparquet: boolean }): FileMetaData;
  parquetRead(options: {
    file: { byteLength: number; slice(start: number, end?: number): ArrayBuffer };
    metadata: FileMetaData;
    columns: string[];
    rowStart: number;
    rowEnd: number;
    compressors: Compressors;
    utf8: boolean;
    onChunk(chunk: { columnData: ArrayLike<unknown>; rowStart: number }): void;
  }): Promise<void>;
}

/** hyparquet and the decompressors it has none of itself. */
export interface ParquetModule {
  readonly parquet: Hyparquet;
  readonly compressors: Compressors;
}

/** Both packages are ES modules, which this Node may not `require`; the compiler would make that of `import()`. */
const load = new Function("url", "return import(url)") as (url: string) => Promise<unknown>;

let loaded: Promise<ParquetModule> | undefined;

export function parquetModule(): Promise<ParquetModule> {
  loaded ??= openModule();
  return loaded;
}

/** The decompressors alone. */
export async function decompressors(): Promise<Compressors> {
  return (await parquetModule()).compressors;
}

async function openModule(): Promise<ParquetModule> {
  const from = (name: string) => load(pathToFileURL(require.resolve(name)).href);
  const parquet = (await from("hyparquet")) as Hyparquet;
  const { compressors } = (await from("hyparquet-compressors")) as { compressors: Compressors };
  const { ZSTD } = compressors;
  const unpacked = (bytes: Buffer) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    parquet,
    compressors: {
      ZSTD,
      LZ4: unpackHadoopLz4,
      LZ4_RAW: unpackLz4Block,
      GZIP: (input, length) => unpacked(gunzipSync(input, { maxOutputLength: Math.max(1, length) })),
      BROTLI: (input, length) =>
        unpacked(brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) })),
    },
  };
}
