/** Longest answer of a provider that is read, in bytes. */
const LARGEST = 512 * 1024;
/** How long a provider that failed is left alone, in ms. */
const AWAY_MS = 5000;
/** How long it may take to answer, in ms. */
export const PATIENCE_MS = 5000;

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** The provider did not answer, or not as one that works. */
class ProviderAway extends Error {
  override readonly name = 'ProviderAway';
}

/** Whether a failure, of whatever asked for something, is that of the provider. */
export const isProviderAway = (error: unknown): boolean => {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ProviderAway) return true;
  return false;
};

const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(host);

/** Whether a URL keeps what goes to and fro from others: https, or this machine. */
export const isPrivateUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username } = new URL(text);
  return username === '' && (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)));
};

const bodyOf = async ({ body }: Response): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > LARGEST) throw new Error(`The provider’s answer has more than ${LARGEST} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

/**
 * Asks a provider, on behalf of whoever sends a token: with an end in time and size, following no redirects, and not again for a while
 * after it failed.
 * @param now a clock in milliseconds that never goes back
 */
export const patientFetch = (now: () => number = () => performance.now()): Fetch => {
  let awayUntil = Number.NEGATIVE_INFINITY;
  return async (url, init = {}) => {
    if (now() < awayUntil) throw new ProviderAway('It failed a moment ago.');
    try {
      if (!isPrivateUrl(url)) throw new Error('The provider’s URL is not https.');
      const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), ...init, redirect: 'error' });
      const { status, headers } = response;
      const body = await bodyOf(response);
      if (status >= 500) throw new Error(`The provider answers with ${status}.`);
      return new Response(body.length === 0 ? null : new Uint8Array(body), { status, headers });
    } catch (cause) {
      awayUntil = now() + AWAY_MS;
      throw new ProviderAway('It does not answer as it should.', { cause });
    }
  };
};
