/** Codes have at most 12 bits. */
const mostCodes = 4096;

/**
 * Undoes GIF's variable-length LZW: `codeBits` is the size of the symbols' codes, `data` the joined blocks. Writes to
 * `symbols` and gives back how many there were before the data ended, or -1 for a code that cannot be.
 * Reference: GIF89a specification, appendix F.
 */
export function inflateLzw(data: Uint8Array, codeBits: number, symbols: Uint8Array): number {
  const clear = 2 ** codeBits;
  const end = clear + 1;
  /** The string of a code: that of another code, then a symbol. */
  const prefix = new Uint16Array(mostCodes);
  const suffix = new Uint8Array(mostCodes);
  const lengths = new Uint16Array(mostCodes).fill(1, 0, clear);
  for (let i = 0; i < clear; i++) suffix[i] = i;
  let [next, width, previous] = [end + 1, codeBits + 1, -1];
  let [bits, held, at, count] = [0, 0, 0, 0];
  while (count < symbols.length) {
    while (held < width) {
      if (at === data.length) return count;
      bits |= data[at++] << held;
      held += 8;
    }
    const code = bits & (2 ** width - 1);
    bits >>>= width;
    held -= width;
    if (code === end) return count;
    if (code === clear) {
      [next, width, previous] = [end + 1, codeBits + 1, -1];
      continue;
    }
    if (code > next || (previous === -1 && code >= clear) || (code === next && next === mostCodes)) return -1;
    // A code that is not known yet is the last string with its own first symbol behind.
    const isNew = code === next;
    const known = isNew ? previous : code;
    const length = lengths[known];
    let symbol = known;
    for (let place = count + length - 1; place >= count; place--) {
      if (place < symbols.length) symbols[place] = suffix[symbol];
      if (place > count) symbol = prefix[symbol];
    }
    const first = suffix[symbol];
    count += length;
    if (isNew && count < symbols.length) symbols[count] = first;
    if (isNew) count++;
    if (previous !== -1 && next < mostCodes) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = lengths[previous] + 1;
      next++;
      if (next === 2 ** width && width < 12) width++;
    }
    previous = code;
  }
  return Math.min(count, symbols.length);
}
