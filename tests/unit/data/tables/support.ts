import * as transforms from "../../../../src/data/transforms";

/** For images of 4 x 4 pixels. */
export const small = { transform: transforms.none(4), cache: false } as const;
