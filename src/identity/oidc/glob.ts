/** Longest text that is compared: claims come from others. */
const LONGEST_TEXT = 1024;

/**
 * Whether a claim is what a rule wants: `*` stands for any characters but `/` and `:`, which separate the parts of a claim, and `**` for
 * any at all. Takes time in proportion to the lengths of both, whatever they are.
 */
export const globMatches = (glob: string, text: string): boolean => {
  if (text.length > LONGEST_TEXT) return false;
  const parts = glob.match(/\*\*|./gsu) ?? [];
  const isStar = (part: string): boolean => part === '*' || part === '**';
  // Whether the first n parts match the text so far.
  let matched = [true];
  for (const [index, part] of parts.entries()) matched.push(isStar(part) && matched[index] === true);
  for (const character of text) {
    const within = character !== '/' && character !== ':';
    const next = [false];
    for (const [index, part] of parts.entries()) {
      const before = next[index] === true;
      const stays = matched[index + 1] === true;
      if (part === '**') next.push(before || stays);
      else if (part === '*') next.push(before || (stays && within));
      else next.push(matched[index] === true && part === character);
    }
    matched = next;
  }
  return matched.at(-1) === true;
};
