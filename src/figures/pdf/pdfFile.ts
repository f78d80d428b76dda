import { deflateSync } from "node:zlib";

/** What one page shows. */
export interface PdfPage {
  /** Points, 72 to an inch. */
  width: number;
  height: number;
  /** Operators of the page. */
  content: string;
  /** Opacities that the operators use, as `/O50` for a half. */
  opacities: readonly number[];
  /** JPEG files that the operators use, as `/I0` for the first. */
  images: readonly Buffer[];
  title: string;
}

/**
 * A PDF file of one page, with Helvetica, which every reader has.
 * Reference: ISO 32000-1, 7.5 (file structure), 8.4.5 (graphics state), 9.6.2 (standard fonts).
 */
export function pdfFile({ width, height, content, opacities, images, title }: PdfPage): Buffer {
  const states = [...new Set(opacities)].map(
    (opacity) => `/${opacityName(opacity)}<</ca ${opacity}/CA ${opacity}>>`,
  );
  const font = (name: string) => `<</Type/Font/Subtype/Type1/BaseFont/${name}/Encoding/WinAnsiEncoding>>`;
  const drawn = images.map((_, i) => `/${imageName(i)} ${8 + i} 0 R`).join("");
  const resources = `<</Font<</F1 5 0 R/F2 6 0 R>>/ExtGState<<${states.join("")}>>/XObject<<${drawn}>>>>`;
  const packed = deflateSync(Buffer.from(content, "latin1"));
  const objects: (string | [string, Buffer])[] = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    `<</Type/Page/Parent 2 0 R/MediaBox[0 0 ${width} ${height}]/Resources${resources}/Contents 4 0 R>>`,
    [`<</Filter/FlateDecode/Length ${packed.length}>>`, packed],
    font("Helvetica"),
    font("Helvetica-Bold"),
    `<</Title<${utf16(title)}>/Producer(luvit)>>`,
    ...images.map((jpeg): [string, Buffer] => [imageDictionary(jpeg), jpeg]),
  ];
  const parts: Buffer[] = [Buffer.from("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "latin1")];
  const starts: number[] = [];
  let length = parts[0]!.length;
  const add = (...pieces: (string | Buffer)[]) => {
    for (const piece of pieces) {
      const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
      parts.push(bytes);
      length += bytes.length;
    }
  };
  for (const [index, object] of objects.entries()) {
    starts.push(length);
    add(`${index + 1} 0 obj\n`);
    if (typeof object === "string") add(object);
    else add(object[0], "\nstream\n", object[1], "\nendstream");
    add("\nendobj\n");
  }
  const table = starts.map((start) => `${String(start).padStart(10, "0")} 00000 n \n`).join("");
  const count = objects.length + 1;
  const xref = length;
  add(`xref\n0 ${count}\n0000000000 65535 f \n${table}trailer\n<</Size ${count}/Root 1 0 R/Info 7 0 R>>\n`);
  add(`startxref\n${xref}\n%%EOF\n`);
  return Buffer.concat(parts);
}

/** The name of an opacity of 0 to 1 among a page's resources. */
export function opacityName(opacity: number): string {
  return `O${Math.round(100 * opacity)}`;
}

/** The name of an image among a page's resources. */
export function imageName(index: number): string {
  return `I${index}`;
}

/** What a reader has to know of a JPEG file: it stands in its frame header, behind other segments. */
function imageDictionary(jpeg: Buffer): string {
  let at = 2;
  // SOF0 to SOF15, of which C4, C8 and CC are something else.
  while (at + 9 < jpeg.length && !/^c[0-35-79-bd-f]$/.test(jpeg[at + 1]!.toString(16)))
    at += 2 + jpeg.readUInt16BE(at + 2);
  const [height, width, channels] = [jpeg.readUInt16BE(at + 5), jpeg.readUInt16BE(at + 7), jpeg[at + 9]];
  const space = channels === 1 ? "DeviceGray" : "DeviceRGB";
  const look = `/Width ${width}/Height ${height}/ColorSpace/${space}/BitsPerComponent 8`;
  return `<</Type/XObject/Subtype/Image${look}/Filter/DCTDecode/Length ${jpeg.length}>>`;
}

function utf16(text: string): string {
  return Buffer.from(`\ufeff${text}`, "utf16le").swap16().toString("hex");
}
