/** Pointers are shorter. Reference: github.com/git-lfs/git-lfs docs/spec.md. */
export const LONGEST_POINTER = 1024;

const POINTER = /^version https?:\/\/(?:git-lfs\.github\.com|hawser\.github\.com|git-media\.io)\/\S+\r?\n/;

/**
 * What to say of a file that is a Git LFS pointer, which stands where the file should be in a repository cloned without
 * git-lfs; undefined for all others. `bytes`: the file, or at least its first 100 bytes.
 */
export function gitLfsPointer(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, LONGEST_POINTER));
  if (!POINTER.test(start)) return undefined;
  const size = /^size (\d+)\r?$/m.exec(start)?.[1];
  const stands = size === undefined ? "" : `, for one of ${size} bytes`;
  return `a Git LFS pointer in place of the file${stands}; fetch it with \`git lfs pull\` in its repository`;
}
