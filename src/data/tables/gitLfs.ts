/** What a Git LFS pointer begins with. Reference: git-lfs docs/spec.md. */
const pointer = "version https://git-lfs.github.com/spec/";

/** Bytes to look at. */
export const pointerBytes = pointer.length;

/** Whether a file that begins so stands for another one, which was not fetched. */
export function isLfsPointer(start: Uint8Array): boolean {
  return Buffer.from(start.subarray(0, pointerBytes)).toString("latin1") === pointer;
}
