export const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, i) => (from + i) % 256);
