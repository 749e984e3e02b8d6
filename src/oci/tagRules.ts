import { RegistryError } from '../errors.ts';

/**
 * Rules that choose tags: a whole tag in which `*` stands for any run of characters, also for none. No regular expressions: these are
 * matched in one pass, whatever they look like.
 */
export const TAG_RULE = /^[a-zA-Z0-9_.*-]{1,128}$/;
export const MOST_TAG_RULES = 50;

const invalid = (message: string, rule?: string): RegistryError =>
  new RegistryError('REQUEST_INVALID', message, { field: 'rules', ...(rule !== undefined && { rule: rule.slice(0, 200) }) });

/** @throws RegistryError `REQUEST_INVALID` */
export const parseTagRules = (rules: readonly string[]): readonly string[] => {
  if (rules.length > MOST_TAG_RULES) throw invalid(`There are at most ${MOST_TAG_RULES} rules.`);
  for (const [index, rule] of rules.entries()) {
    if (!TAG_RULE.test(rule))
      throw invalid('A rule has 1 to 128 letters, digits, "_", ".", "-" and "*", which stands for any characters or none.', rule);
    if (rules.indexOf(rule) !== index) throw invalid('A rule is there twice.', rule);
  }
  return rules;
};

/** Whether a rule means the whole tag. Each part between two stars is looked for once, from where the last one ended. */
export const matchesTagRule = (rule: string, tag: string): boolean => {
  const [first = '', ...others] = rule.split('*');
  const last = others.pop();
  if (last === undefined) return rule === tag;
  if (!tag.startsWith(first) || !tag.endsWith(last)) return false;
  let at = first.length;
  for (const part of others) {
    const found = tag.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= tag.length - last.length;
};

/** The first of the rules that means this tag. */
export const ruleFor = (rules: readonly string[], tag: string): string | undefined =>
  rules.find((rule) => matchesTagRule(rule, tag));
