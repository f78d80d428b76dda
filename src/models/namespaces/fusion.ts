/**
 * What stands between encoder and head.
 *
 * @module
 */
export { type FusionOptions, FusionPath, mlp, through } from "../fusion";
