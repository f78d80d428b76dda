const [START, DHT, JPG, DAC, SOF0, SOF15, SOS] = [0xffd8, 0xc4, 0xc8, 0xcc, 0xc0, 0xcf, 0xda];

/** Whether bytes are a JPEG file of four inks (CMYK, or YCCK as Adobe's programs write it). ITU-T T.81, annex B. */
export function isCmykJpeg(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (file.length < 4 || file.readUInt16BE(0) !== START) return false;
  for (let at = 2; at + 10 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1];
    if (marker === SOS) return false;
    const isFrame = marker >= SOF0 && marker <= SOF15 && ![DHT, JPG, DAC].includes(marker);
    if (isFrame) return file[at + 9] === 4;
    at += marker === 0xff ? 1 : 2 + file.readUInt16BE(at + 2);
  }
  return false;
}
