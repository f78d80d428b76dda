/** Tokenizers: bytes, and files of Hugging Face's tokenizers. */
export { readTokenizer } from "./huggingFace";
export { bytes, type Tokenizer } from "./tokenizer";
