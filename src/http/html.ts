/** Markup that is ours, and so need not be escaped. */
export type Html = Readonly<{ trusted: string }>;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

/** A template in which everything that is put in is escaped, unless it is such a template itself. */
export const html = (parts: TemplateStringsArray, ...values: readonly (Html | string)[]): Html => ({
  trusted: parts.reduce((text, part, index) => {
    const value = values[index - 1] ?? '';
    return `${text}${typeof value === 'string' ? escaped(value) : value.trusted}${part}`;
  }),
});

export const joined = (pieces: readonly Html[]): Html => ({ trusted: pieces.map(({ trusted }) => trusted).join('') });

/** Text in which nothing but `code` is marked. */
export const markdown = (text: string): Html =>
  joined(text.split('`').map((piece, index) => (index % 2 === 0 ? html`${piece}` : html`<code>${piece}</code>`)));
