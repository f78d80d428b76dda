import { layerCorruptions } from "../../src/data/corruptions/apply";
import { defocusKernel } from "../../src/data/corruptions/blur";
import { jpegCompression, pixelate } from "../../src/data/corruptions/digital";
import type { Draws } from "../../src/data/corruptions/draws";
import { fogs, plasma, underCloud } from "../../src/data/corruptions/fog";
import { type Layer, truncate } from "../../src/data/corruptions/image";
import type { RgbImage } from "../../src/data/pixels/rgbImage";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { type GoldenTensors, load } from "./support";

/** The `corruptions` case: every corruption that it covers, with the random fields it holds. */
export const runCorruptions: CaseRunner = async (folder, meta) => {
  const golden = load(folder, "tensors.safetensors");
  const { data, shape } = golden.get("input")!;
  const image = { data: Uint8Array.from(data), width: shape[1], height: shape[0] };
  const checks: Check[] = [];
  for (const severity of meta.config.severities) {
    for (const name of meta.corruptions) checks.push(...(await check(name, severity, image, golden, meta)));
    checks.push(...partChecks(severity, golden, meta));
  }
  return checks;
};

async function check(
  name: string,
  severity: number,
  image: RgbImage,
  golden: GoldenTensors,
  meta: CaseFile,
): Promise<Check[]> {
  const bounds = meta.recommended_tolerance;
  const key = `${name}_s${severity}`;
  const expected = golden.get(key)!.data;
  if (name === "pixelate") {
    return [{ name: key, error: maxAbsError(pixelate(image, severity).data, expected), tolerance: 0 }];
  }
  if (name === "jpeg_compression") {
    const { data } = await jpegCompression(image, severity);
    const mean = data.reduce((sum, byte, i) => sum + Math.abs(byte - expected[i]), 0) / data.length;
    return [
      { name: key, error: maxAbsError(data, expected), tolerance: bounds.jpeg_abs },
      { name: `${key}, mean`, error: mean, tolerance: bounds.jpeg_mean_abs },
    ];
  }
  const layer = corrupted(name, severity, image, golden);
  const tolerance = name === "zoom_blur" ? bounds.zoom_blur_abs : bounds.float_abs;
  const checks = [{ name: key, error: maxAbsError(layer.data, expected), tolerance }];
  const bytes = golden.get(`${key}_uint8`);
  if (bytes) {
    const error = maxAbsError(truncate(layer).data, bytes.data);
    checks.push({ name: `${key} in bytes`, error, tolerance: bounds.uint8_abs });
  }
  return checks;
}

/** Fog under a height map of the size that the case has; it need not be the smallest that covers the image. */
function corrupted(name: string, severity: number, image: RgbImage, golden: GoldenTensors): Layer {
  if (name === "fog") {
    const { heights, size } = heightMap(severity, golden);
    return underCloud(image, severity, heights, size);
  }
  const corrupt = layerCorruptions[name as keyof typeof layerCorruptions];
  return corrupt(image, severity, givenDraws(name, severity, golden));
}

function heightMap(severity: number, golden: GoldenTensors) {
  const [size] = golden.get(`fog_plasma_s${severity}`)!.shape;
  return { size, heights: plasma(size, fogs[severity - 1].decay, givenDraws("fog", severity, golden)) };
}

/** Blur kernels and height maps. */
function partChecks(severity: number, golden: GoldenTensors, meta: CaseFile): Check[] {
  const kernel = golden.get(`defocus_kernel_s${severity}`)!;
  const cloud = golden.get(`fog_plasma_s${severity}`)!;
  const { heights } = heightMap(severity, golden);
  const tolerance = meta.recommended_tolerance.float_abs / 255;
  return [
    {
      name: `defocus kernel ${severity}`,
      error: maxAbsError(defocusKernel(severity).data, kernel.data),
      tolerance,
    },
    { name: `height map ${severity}`, error: maxAbsError(heights, cloud.data), tolerance },
  ];
}

/** Hands out the stored fields; asking for more than there is gives NaN, which no comparison passes. */
function givenDraws(name: string, severity: number, golden: GoldenTensors): Draws {
  const streams = (...names: string[]) => {
    const values = names.flatMap((key) => Array.from(golden.get(key)?.data ?? []));
    let next = 0;
    return () => values[next++] ?? Number.NaN;
  };
  const normal = streams("normal");
  const uniform =
    name === "fog" ? streams("fog_uniform") : streams("impulse_flip_uniform", "impulse_salt_uniform");
  const count = streams(`poisson_s${severity}`);
  const offset = streams(`glass_offsets_s${severity}`);
  return {
    normal,
    between: (low, high) => (name === "fog" ? high * uniform() : low + (high - low) * uniform()),
    integer: (low, high) => {
      const value = offset();
      return value >= low && value < high ? value : Number.NaN;
    },
    poisson: count,
  };
}
