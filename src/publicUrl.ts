/** What the paths of the registry begin with: one of these before them could not be told from them. */
const OWN = ['v2', 'auth', 'api', 'health', 'healthz', 'readyz', 'metrics'];

const FORMS: readonly (readonly [form: RegExp, problem: string])[] = [
  [/^https?:\/\/[^/?#]*@/, 'must not name a user or a password.'],
  [/[?#]/, 'must be a URL without a query or a fragment.'],
  [/\/$/, 'must not end with a slash.'],
  [/^https?:\/\/[^/]+(\/.*)?\/(\/|\.{1,2}(\/|$))/, 'must be a URL without empty parts, . and .. in its path.'],
  [/^https?:\/\/[^/]+\/.*[^A-Za-z0-9._~/-]/, 'may have only letters, digits, hyphens, dots, _ and ~ in its path.'],
  [
    new RegExp(`^https?://[^/]+/(${OWN.join('|')})(/|$)`),
    `must not have a path that begins with ${OWN.map((own) => `/${own}`).join(', ')}: the registry's own paths do.`,
  ],
];

/** What is wrong with a text as the URL where clients reach the registry, or undefined. It may have a path, such as `/registry`. */
export const faultOfPublicUrl = (text: string): string | undefined => {
  if (!/^https?:\/\/[^/?#\s][^\s]*$/.test(text) || text.endsWith('\n') || !URL.canParse(text))
    return 'must be a URL such as https://registry.example.com or https://example.com/registry.';
  return FORMS.find(([form]) => form.test(text))?.[1];
};
