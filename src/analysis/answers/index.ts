/** Looking into language models that see: where they look while they answer, and what each patch says. */
export { AnswerAttention, type AnswerAttentionOptions, answerAttention } from "./answerAttention";
export { VisualTokens, visualTokens } from "./visualTokens";
