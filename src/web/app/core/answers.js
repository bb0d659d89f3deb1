// The answers to an agent's questions (`AskUserQuestion`), from what a person has chosen. Pure.

/** @typedef {{question: string, header?: string, options?: Array<{label: string, description?: string}>, multiSelect?: boolean}} Question */

/** What was chosen for one question: labels, and words of one's own. @typedef {{labels: string[], other: string}} Choice */

/** @param {any} input the tool's input @returns {Question[]} */
export function questionsOf(input) {
  const list = Array.isArray(input?.questions) ? input.questions : [];
  return list.filter((/** @type {any} */ one) => typeof one?.question === "string").map((/** @type {any} */ one) => {
    const options = Array.isArray(one.options) ? one.options.filter((/** @type {any} */ option) => typeof option?.label === "string") : [];
    return { ...one, options };
  });
}

/**
 * A choice after a click on a label: one of several, or one more or less of many.
 *
 * @param {Question} question
 * @param {Choice} choice
 * @param {string} label
 * @returns {Choice}
 */
export function chosen({ multiSelect = false }, choice, label) {
  if (!multiSelect) return { labels: [label], other: "" };
  const has = choice.labels.includes(label);
  return { ...choice, labels: has ? choice.labels.filter((one) => one !== label) : [...choice.labels, label] };
}

/**
 * The input to allow the call with; null while a question has no answer.
 *
 * @param {any} input
 * @param {Choice[]} choices in the order of the questions
 */
export function answered(input, choices) {
  const questions = questionsOf(input);
  /** @type {Record<string, string>} */
  const answers = {};
  for (const [place, { question }] of questions.entries()) {
    const { labels = [], other = "" } = choices[place] ?? {};
    const all = [...labels, other.trim()].filter(Boolean);
    if (all.length === 0) return null;
    answers[question] = all.join(", ");
  }
  return questions.length > 0 ? { ...input, answers } : null;
}
