import { asIs } from "../../../../src/data/transforms";

/** For pictures of 4 x 4 pixels. */
export const small = { transform: asIs(4), cache: false } as const;
