import { Rng } from "../rng";
import { instance } from "./fields";

/** Where random numbers come from. */
export const rngField = instance<Rng>(Rng, "a random generator: new luvit.Rng(seed)");
