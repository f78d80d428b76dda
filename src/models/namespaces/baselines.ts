/**
 * What the paper puts in the block's place.
 *
 * @module
 */
export { frozenBlock, mlpL, mlpP, randomBlock } from "../baselines";
