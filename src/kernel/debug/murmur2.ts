const multiplier = 0x5bd1e995;

/**
 * The 32-bit hash of a text's UTF-8 bytes that Jupyter's frontends name cells by.
 *
 * Reference: MurmurHash2 by Austin Appleby.
 */
export function murmur2(text: string, seed: number): number {
  const bytes = Buffer.from(text, "utf8");
  const whole = bytes.length & ~3;
  let hash = seed ^ bytes.length;
  for (let at = 0; at < whole; at += 4) {
    const mixed = Math.imul(bytes.readInt32LE(at), multiplier);
    hash = Math.imul(hash, multiplier) ^ Math.imul(mixed ^ (mixed >>> 24), multiplier);
  }
  if (whole < bytes.length) {
    for (let at = bytes.length - 1; at >= whole; at--) hash ^= bytes[at]! << (8 * (at - whole));
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return (hash ^ (hash >>> 15)) >>> 0;
}
