import type { RgbImage } from "../decode";

/* Operations that send every byte through a table, as Pillow's ImageOps do. */

type Table = Uint8Array;

const tableOf = (value: (byte: number) => number): Table =>
  Uint8Array.from({ length: 256 }, (_, i) => value(i));

function through(image: RgbImage, [red, green, blue]: readonly [Table, Table, Table]): RgbImage {
  const { data, width, height } = image;
  const result = new Uint8Array(3 * width * height);
  for (let i = 0; i < result.length; i += 3) {
    result[i] = red[data[i]];
    result[i + 1] = green[data[i + 1]];
    result[i + 2] = blue[data[i + 2]];
  }
  return { data: result, width, height };
}

const throughOne = (image: RgbImage, table: Table) => through(image, [table, table, table]);

function histograms({ data }: RgbImage): [Uint32Array, Uint32Array, Uint32Array] {
  const counts = [0, 1, 2].map(() => new Uint32Array(256)) as [Uint32Array, Uint32Array, Uint32Array];
  const [red, green, blue] = counts;
  for (let i = 0; i < data.length; i += 3) {
    red[data[i]]++;
    green[data[i + 1]]++;
    blue[data[i + 2]]++;
  }
  return counts;
}

/** Stretches each channel to 0 … 255; a channel of one value stays. */
export function autoContrast(image: RgbImage): RgbImage {
  const [red, green, blue] = histograms(image).map((counts) => {
    const low = counts.findIndex((count) => count > 0);
    const high =
      255 -
      counts
        .slice()
        .reverse()
        .findIndex((count) => count > 0);
    if (high <= low) return identity;
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return tableOf((byte) => Math.min(255, Math.max(0, Math.trunc(byte * scale + offset))));
  });
  return through(image, [red, green, blue]);
}

const identity = tableOf((byte) => byte);

/** Makes the values of each channel equally frequent, as far as whole steps allow. */
export function equalize(image: RgbImage): RgbImage {
  const [red, green, blue] = histograms(image).map(equalizingTable);
  return through(image, [red, green, blue]);
}

function equalizingTable(counts: Uint32Array): Table {
  const used = counts.filter((count) => count > 0);
  const step = Math.floor((used.reduce((a, b) => a + b, 0) - used[used.length - 1]) / 255);
  if (used.length <= 1 || step === 0) return identity;
  let below = Math.floor(step / 2);
  return tableOf((byte) => {
    const level = Math.min(255, Math.floor(below / step));
    below += counts[byte];
    return level;
  });
}

const inverting = tableOf((byte) => 255 - byte);

/** 255 - value. */
export function invert(image: RgbImage): RgbImage {
  return throughOne(image, inverting);
}

/** Keeps the highest `bits` (0 … 8) of every value. */
export function posterize(image: RgbImage, bits: number): RgbImage {
  const mask = 256 - 2 ** (8 - bits);
  return throughOne(
    image,
    tableOf((byte) => byte & mask),
  );
}

/** Inverts values of at least `threshold`. */
export function solarize(image: RgbImage, threshold: number): RgbImage {
  return throughOne(
    image,
    tableOf((byte) => (byte < threshold ? byte : 255 - byte)),
  );
}

/** Adds `amount` to values below 128, up to 255. */
export function solarizeAdd(image: RgbImage, amount: number): RgbImage {
  return throughOne(
    image,
    tableOf((byte) => (byte < 128 ? Math.min(255, byte + amount) : byte)),
  );
}
