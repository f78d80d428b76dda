import { gitLfsPointer } from "../../../core/gitLfsPointer";

/** Files that are read as images, whatever they are called. */
export type ImageFormat = "JPEG" | "PNG" | "WebP" | "TIFF" | "GIF" | "BMP" | "PNM";

/** Bytes that a file begins with; "." stands for any byte. */
const beginnings: readonly (readonly [format: ImageFormat, beginning: string])[] = [
  ["JPEG", "\xff\xd8\xff"],
  ["PNG", "\x89PNG\r\n\x1a\n"],
  ["WebP", "RIFF....WEBP"],
  ["TIFF", "II*\0"],
  ["TIFF", "MM\0*"],
  ["TIFF", "II+\0"],
  ["TIFF", "MM\0+"],
  ["GIF", "GIF87a"],
  ["GIF", "GIF89a"],
  ["BMP", "BM"],
];

/** What is not read, so that messages can name it. */
const others: readonly (readonly [name: string, beginning: string])[] = [
  ["AVIF", "....ftypavi"],
  ["HEIF", "....ftyphe"],
  ["HEIF", "....ftypmif1"],
  ["a film (MP4 or QuickTime)", "....ftyp"],
  ["JPEG 2000", "\0\0\0\x0cjP  "],
  ["JPEG 2000", "\xff\x4f\xff\x51"],
  ["JPEG XL", "\0\0\0\x0cJXL "],
  ["JPEG XL", "\xff\x0a"],
  ["Photoshop's PSD", "8BPS"],
  ["an icon (ICO)", "\0\0\x01\0"],
  ["PDF", "%PDF"],
  ["PostScript", "%!PS"],
  ["a zip archive", "PK\x03\x04"],
  ["gzip", "\x1f\x8b"],
  ["PAM", "P7\n"],
  ["PFM", "PF\n"],
  ["PFM", "Pf\n"],
];

const longest = 24;

/** The format of a file by its first bytes; undefined for what is not read as an image. */
export function formatOf(bytes: Uint8Array): ImageFormat | undefined {
  const start = startOf(bytes, longest);
  const found = beginnings.find(([, beginning]) => beginsWith(start, beginning))?.[0];
  return found ?? (/^P[1-6][\s#]/.test(start) ? "PNM" : undefined);
}

/** What bytes are that are not read as an image, in words. */
export function kindOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return "an empty file";
  const start = startOf(bytes, 1000);
  const [name] = others.find(([, beginning]) => beginsWith(start, beginning)) ?? [];
  if (name) return name;
  if (/<svg[\s>]/i.test(start)) return "SVG";
  if (/^\s*<(?:!doctype|html|\?xml|head|body)/i.test(start)) return "a web page or XML";
  if (/^\0+$/.test(start)) return "nothing but zeros";
  if (/^[\t\n\r\x20-\x7e]+$/.test(start)) return gitLfsPointer(bytes) ?? "text";
  return "of an unknown format";
}

function startOf(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, length)).toString("latin1");
}

function beginsWith(start: string, beginning: string): boolean {
  if (start.length < beginning.length) return false;
  for (let i = 0; i < beginning.length; i++) {
    if (beginning[i] !== "." && beginning[i] !== start[i]) return false;
  }
  return true;
}
