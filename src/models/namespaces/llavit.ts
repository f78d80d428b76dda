/**
 * Language models that read the patches of an image: LLaVA, and what LLaViT adds to it.
 *
 * @module
 */
export { bytes, readTokenizer as tokenizer, type Tokenizer } from "../../io/tokenizer";
export { ClipTower } from "../llavit/clip";
export { create, type LlavitOptions } from "../llavit/create";
export type { ImageStart } from "../llavit/imagePlaces";
export { type LanguageModelOptions, languageModel } from "../llavit/languageModel";
export { Llavit } from "../llavit/llavit";
export { llavaTemplate, type PromptTemplate, plainTemplate } from "../llavit/prompt";
export { loadLlavitFolder as load, type OpenLlavitOptions, openLlavit as open } from "../openLlavit";
