import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { LuvitError } from "../../core/errors";
import { Rng } from "../../core/rng";
import { writeAtomically } from "../../core/writeAtomically";
import type { CorruptionType } from "../corruptionTypes";
import { centerBox, cropBox, type RgbImage, resize, shorterSideSize } from "../pixels";
import { decodeImage } from "../reading";
import { apply } from "./apply";
import { encodeJpeg } from "./digital";
import type { OwnFolders } from "./outputs";

/** What becomes of every image. */
export interface CorruptionPlan {
  readonly source: string;
  readonly target: string;
  readonly types: readonly CorruptionType[];
  readonly severities: readonly number[];
  /** Side of the images in pixels. */
  readonly size: number;
  readonly seed: number;
}

/** Quality of the official files. */
const jpegQuality = 85;

/** An image below the source folder, and what it is called below the folder of a corruption. */
export interface ImageToCorrupt {
  readonly path: string;
  readonly output: string;
}

/** One image of the folder under all corruptions. */
export interface CorruptedImage {
  /** Below the source folder. */
  readonly path: string;
  /** Files written now, and those that were there before. */
  readonly written: number;
  readonly kept: number;
  /** Why nothing was written. */
  readonly unreadable?: string;
}

/**
 * Writes `<target>/<type>/<severity>/<output>` for all types and severities that are not there yet. The draws follow
 * from seed, type, severity and path alone.
 */
export async function corruptFile(
  plan: CorruptionPlan,
  { path, output }: ImageToCorrupt,
  frost: readonly RgbImage[],
  folders: OwnFolders,
): Promise<CorruptedImage> {
  const outputs = plan.types.flatMap((type) =>
    plan.severities.map((severity) => {
      return { type, severity, file: join(plan.target, type, String(severity), output) };
    }),
  );
  const missing = outputs.filter(({ file }) => !existsSync(file));
  const kept = outputs.length - missing.length;
  if (missing.length === 0) return { path, written: 0, kept };
  const image = await readSquare(join(plan.source, path), plan.size);
  if (typeof image === "string") return { path, written: 0, kept, unreadable: image };
  for (const { type, severity, file } of missing) {
    const rng = new Rng(plan.seed).fork(type, severity, path);
    const corrupted = await apply(image, type, severity, rng, { frost });
    folders.make(dirname(file));
    writeAtomically(file, await encodeJpeg(corrupted, jpegQuality));
  }
  return { path, written: missing.length, kept };
}

/** The centered square after the shorter side became 8/7 of its size, bilinear, as the official images are cut. */
async function readSquare(path: string, size: number): Promise<RgbImage | string> {
  try {
    const image = await decodeImage(path, { exif: "ignore" });
    const to = shorterSideSize(image.width, image.height, Math.round((size * 256) / 224));
    const whole = resize(image, to.width, to.height, { filter: "bilinear" });
    return cropBox(whole, centerBox(to.width, to.height, size));
  } catch (error) {
    if (error instanceof LuvitError && error.code === "bad-image") return error.message;
    throw error;
  }
}
