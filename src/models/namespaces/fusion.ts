/** What stands between encoder and head. */
export { type FusionOptions, FusionPath, mlp, through } from "../fusion";
