import { pathToFileURL } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import type { Compressors } from "hyparquet";

type Hyparquet = typeof import("hyparquet");

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

async function openModule(): Promise<ParquetModule> {
  const from = (name: string) => load(pathToFileURL(require.resolve(name)).href);
  const parquet = (await from("hyparquet")) as Hyparquet;
  const { compressors } = (await from("hyparquet-compressors")) as { compressors: Compressors };
  const { ZSTD, LZ4, LZ4_RAW } = compressors;
  const unpacked = (bytes: Buffer) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    parquet,
    compressors: {
      ZSTD,
      LZ4,
      LZ4_RAW,
      GZIP: (input, length) => unpacked(gunzipSync(input, { maxOutputLength: Math.max(1, length) })),
      BROTLI: (input, length) =>
        unpacked(brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) })),
    },
  };
}
